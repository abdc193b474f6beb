// LiveCodeBench packs a problem's private tests as base64 of zlib of a pickled string. A pickle is a program; this reads the few
// instructions that a plain string needs and refuses any other, so nothing in the file can call anything.
import { unzlib } from "../unpack.ts";

const PROTO = 0x80;
const FRAME = 0x95;
const MEMOIZE = 0x94;
const BINPUT = 0x71;
const LONG_BINPUT = 0x72;
const STOP = 0x2e;
/** Instructions that push a string, and the size of the length before its bytes. */
const STRINGS: Readonly<Record<number, number>> = { 140: 1, 88: 4, 141: 8 }; // SHORT_BINUNICODE, BINUNICODE, BINUNICODE8

/**
 * The string in a pickle that holds one string.
 * @throws Error when it holds anything else
 */
export function unpickleString(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = (at: number, size: number) => {
    if (at + size > bytes.length) throw new Error("the pickle ends too early");
    return size === 1 ? view.getUint8(at) : size === 4 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true));
  };
  let text: string | null = null;
  for (let at = 0; at < bytes.length; ) {
    const instruction = bytes[at++]!;
    const size = STRINGS[instruction];
    if (size !== undefined && text === null) {
      const count = length(at, size);
      at += size;
      if (at + count > bytes.length) throw new Error("the pickle ends too early");
      text = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(at, at + count));
      at += count;
    } else if (instruction === PROTO || instruction === BINPUT) at += 1;
    else if (instruction === FRAME) at += 8;
    else if (instruction === LONG_BINPUT) at += 4;
    else if (instruction === STOP && text !== null) return text;
    else if (instruction !== MEMOIZE) throw new Error(`the pickle holds more than a string (instruction 0x${instruction.toString(16)})`);
  }
  throw new Error("the pickle ends too early");
}

/** As long as a text can be: a few kilobytes of zlib can claim to be gigabytes. */
const MAX_UNPACKED = 512 * 2 ** 20;

/**
 * The text that LiveCodeBench packed: base64, zlib, pickle.
 * @throws Error one sentence when it is packed otherwise
 */
export function unpackText(packed: string): string {
  let bytes: Uint8Array;
  try {
    bytes = unzlib(
      Uint8Array.from(atob(packed), (character) => character.charCodeAt(0)),
      MAX_UNPACKED,
    );
  } catch (error) {
    throw new Error(`it is not base64 of zlib data (${error instanceof Error ? error.message : error})`);
  }
  return unpickleString(bytes);
}
