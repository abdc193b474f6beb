// Broken files, the same for the same number: bytes flipped, cut, doubled, moved, and pieces that parsers stumble over put in.
import { integer } from "../../src/random.ts";

const PIECES = [
  ...["__proto__", "constructor", "prototype", '{"__proto__":{"polluted":true}}', "null", "-1", "1e999", "NaN", "18446744073709551615"],
  ...["[[[[[[[[", "}}}}", '"', "\\u0000", "\u0000\u0000\u0000\u0000", "\ufffd", "../../etc/passwd", "9".repeat(400), "\n", "%00", "&"],
].map((text) => new TextEncoder().encode(text));

const NUMBERS = [
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, 0, 0, 0x80],
  [0, 0, 0, 0],
].map((bytes) => Uint8Array.from(bytes));

function splice(bytes: Uint8Array, from: number, to: number, piece: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(from + piece.length + (bytes.length - to));
  out.set(bytes.subarray(0, from));
  out.set(piece, from);
  out.set(bytes.subarray(to), from + piece.length);
  return out;
}

/** Broken copy number `index` of a file: one to four changes, most of them near its beginning, where headers are. */
export function mutated(file: Uint8Array, index: number): Uint8Array<ArrayBuffer> {
  let draw = 0;
  const pick = (n: number) => integer(11, index, draw++, Math.max(1, n));
  let bytes = new Uint8Array(file);
  for (let changes = 1 + pick(4); changes > 0; changes--) {
    const reach = pick(2) === 0 ? Math.min(bytes.length, 512) : bytes.length;
    const at = pick(reach);
    const length = pick(Math.min(64, bytes.length - at) + 1);
    switch (pick(7)) {
      case 0:
        if (bytes.length > 0) bytes[at]! ^= 1 << pick(8);
        break;
      case 1:
        bytes = bytes.slice(0, at);
        break;
      case 2:
        bytes = splice(bytes, at, at + length, new Uint8Array());
        break;
      case 3:
        bytes = splice(bytes, at, at, bytes.slice(at, at + length));
        break;
      case 4:
        bytes = splice(bytes, at, at, PIECES[pick(PIECES.length)]!);
        break;
      case 5:
        bytes = splice(bytes, at, Math.min(bytes.length, at + 8), NUMBERS[pick(NUMBERS.length)]!);
        break;
      default:
        bytes = splice(bytes, at, at + length, bytes.slice(pick(bytes.length)).subarray(0, length));
    }
  }
  return bytes;
}
