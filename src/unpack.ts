// Unpacks what others packed: deflate, zlib, gzip. The unpacking itself is fflate's, which believes the file; here it is bound, and what
// comes out is held against the checksum that was packed with it.
import { Inflate } from "fflate";
import { adler32, crc32, joined } from "./bytes.ts";

/** Packed bytes unpacked at once; no deflate makes more than a thousandfold of them. */
const PIECE = 16 * 1024;

/**
 * Unpacks raw deflate piece by piece, so that whoever asks may breathe between them.
 * @param most bytes that may come out
 * @throws Error one sentence, without a full stop, where it is no deflate, ends early or gives more
 */
export function* inflated(packed: Uint8Array, most: number): Generator<Uint8Array> {
  let out: Uint8Array[] = [];
  let bytes = 0;
  const inflate = new Inflate((piece) => out.push(piece));
  for (let from = 0; from === 0 || from < packed.length; from += PIECE) {
    out = [];
    inflate.push(packed.subarray(from, from + PIECE), from + PIECE >= packed.length);
    for (const piece of out) {
      bytes += piece.length;
      if (bytes > most) throw new Error(`unpacked it has more than ${most} bytes`);
      yield piece;
    }
  }
}

/**
 * A gzip file's content. Of one member: what is glued together of several is refused, rather than read in part.
 * @throws Error one sentence, without a full stop, where it is none, damaged, or has more than `most` bytes
 */
export function gunzip(bytes: Uint8Array, most: number): Uint8Array {
  const start = gzipHeader(bytes);
  const trailer = bytes.length - 8;
  if (trailer < start) throw new Error("it ends too early");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const claimed = view.getUint32(trailer + 4, true);
  if (claimed > most) throw new Error(`unpacked it would have ${claimed} bytes, and at most ${most} are read`);
  const content = joined([...inflated(bytes.subarray(start, trailer), claimed)]);
  if (content.length !== claimed || crc32(content) !== view.getUint32(trailer, true)) throw new Error(DAMAGED);
  return content;
}

const DAMAGED = "it is damaged: its checksum is another";
const [HEADER_CHECKSUM, EXTRA, NAME, COMMENT] = [2, 4, 8, 16];

/** Where the deflate begins (RFC 1952). */
function gzipHeader(bytes: Uint8Array): number {
  if (bytes.length < 18 || bytes[0] !== 0x1f || bytes[1] !== 0x8b || bytes[2] !== 8) throw new Error("it is no gzip");
  const flags = bytes[3]!;
  let at = 10;
  if (flags & EXTRA) at += 2 + bytes[at]! + 256 * bytes[at + 1]!;
  for (const text of [NAME, COMMENT]) {
    if (!(flags & text)) continue;
    const end = bytes.indexOf(0, at);
    if (end < 0) throw new Error("it ends too early");
    at = end + 1;
  }
  return flags & HEADER_CHECKSUM ? at + 2 : at;
}

/**
 * Unpacks zlib data (RFC 1950).
 * @throws Error one sentence, without a full stop, where it is none, damaged, or has more than `most` bytes
 */
export function unzlib(bytes: Uint8Array, most: number): Uint8Array {
  const [method = 0, flags = 0] = bytes;
  if (bytes.length < 6 || (method & 15) !== 8 || ((method << 8) | flags) % 31 !== 0 || flags & 32) throw new Error("it is no zlib data");
  const content = joined([...inflated(bytes.subarray(2, -4), most)]);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (adler32(content) !== view.getUint32(bytes.length - 4)) throw new Error(DAMAGED);
  return content;
}
