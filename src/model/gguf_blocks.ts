// The blocks of GGUF's tensor types, to float32. Source: ggml's ggml-quants.c. The values are those of the gguf package to the bit:
// products are exact in double precision (at most 25 bits) and rounded once, when they are stored.

import { f16BitsToF32 } from "./safetensors.ts";

export interface TensorType {
  readonly name: string;
  /** Values and bytes of a block; a row holds whole blocks. */
  readonly values: number;
  readonly bytes: number;
  /** Writes the values of the block at block[b ...] to out[o ...]. */
  readonly read: (block: Uint8Array, b: number, out: Float32Array, o: number) => void;
}

/** The types that are read, by their number in the file. */
export const TENSOR_TYPES: ReadonlyMap<number, TensorType> = new Map([
  [0, { name: "F32", values: 1, bytes: 4, read: readF32 }],
  [1, { name: "F16", values: 1, bytes: 2, read: readF16 }],
  [2, { name: "Q4_0", values: 32, bytes: 18, read: readQ4o0 }],
  [3, { name: "Q4_1", values: 32, bytes: 20, read: readQ4o1 }],
  [6, { name: "Q5_0", values: 32, bytes: 22, read: readQ5o0 }],
  [7, { name: "Q5_1", values: 32, bytes: 24, read: readQ5o1 }],
  [8, { name: "Q8_0", values: 32, bytes: 34, read: readQ8o0 }],
  [12, { name: "Q4_K", values: 256, bytes: 144, read: readQ4K }],
  [13, { name: "Q5_K", values: 256, bytes: 176, read: readQ5K }],
  [14, { name: "Q6_K", values: 256, bytes: 210, read: readQ6K }],
  [30, { name: "BF16", values: 1, bytes: 2, read: readBf16 }],
]);

/** Names of types that are not read, for messages; the numbers of ggml.h. */
const OTHER_TYPES: Readonly<Record<number, string>> = {
  9: "Q8_1",
  10: "Q2_K",
  11: "Q3_K",
  15: "Q8_K",
  16: "IQ2_XXS",
  17: "IQ2_XS",
  18: "IQ3_XXS",
  19: "IQ1_S",
  20: "IQ4_NL",
  21: "IQ3_S",
  22: "IQ2_S",
  23: "IQ4_XS",
  24: "I8",
  25: "I16",
  26: "I32",
  27: "I64",
  28: "F64",
  29: "IQ1_M",
  34: "TQ1_0",
  35: "TQ2_0",
  39: "MXFP4",
};

/** What to call a type in a message. */
export const tensorTypeName = (type: number): string => TENSOR_TYPES.get(type)?.name ?? OTHER_TYPES[type] ?? `number ${type}`;

/** The values of whole blocks. */
export function dequantise({ values, bytes, read }: TensorType, blocks: Uint8Array): Float32Array<ArrayBuffer> {
  const count = blocks.length / bytes;
  const out = new Float32Array(count * values);
  for (let i = 0; i < count; i++) read(blocks, i * bytes, out, i * values);
  return out;
}

/** Every half-precision number as a float32: a table, because every block begins with one or two. */
const HALVES = f16BitsToF32(Uint16Array.from({ length: 1 << 16 }, (_, bits) => bits));
const f16 = (block: Uint8Array, b: number): number => HALVES[block[b]! | (block[b + 1]! << 8)]!;

const u32 = (block: Uint8Array, b: number): number => block[b]! | (block[b + 1]! << 8) | (block[b + 2]! << 16) | (block[b + 3]! << 24);

const i8 = (byte: number): number => (byte << 24) >> 24;

const BITS_AS_F32 = new Float32Array(1);
const BITS = new Int32Array(BITS_AS_F32.buffer);

function readF32(block: Uint8Array, b: number, out: Float32Array, o: number): void {
  BITS[0] = u32(block, b);
  out[o] = BITS_AS_F32[0]!;
}

function readF16(block: Uint8Array, b: number, out: Float32Array, o: number): void {
  out[o] = f16(block, b);
}

function readBf16(block: Uint8Array, b: number, out: Float32Array, o: number): void {
  BITS[0] = (block[b]! << 16) | (block[b + 1]! << 24);
  out[o] = BITS_AS_F32[0]!;
}

function readQ4o0(block: Uint8Array, b: number, out: Float32Array, o: number): void {
  const d = f16(block, b);
  for (let j = 0; j < 16; j++) {
    const q = block[b + 2 + j]!;
    out[o + j] = d * ((q & 15) - 8);
    out[o + 16 + j] = d * ((q >> 4) - 8);
  }
}

function readQ4o1(block: Uint8Array, b: number, out: Float32Array, o: number): void {
  const d = f16(block, b);
  const min = f16(block, b + 2);
  for (let j = 0; j < 16; j++) {
    const q = block[b + 4 + j]!;
    out[o + j] = d * (q & 15) + min;
    out[o + 16 + j] = d * (q >> 4) + min;
  }
}

function readQ5o0(block: Uint8Array, b: number, out: Float32Array, o: number): void {
  const d = f16(block, b);
  const high = u32(block, b + 2);
  for (let j = 0; j < 16; j++) {
    const q = block[b + 6 + j]!;
    out[o + j] = d * (((q & 15) | (((high >> j) & 1) << 4)) - 16);
    out[o + 16 + j] = d * (((q >> 4) | (((high >> (j + 16)) & 1) << 4)) - 16);
  }
}

function readQ5o1(block: Uint8Array, b: number, out: Float32Array, o: number): void {
  const d = f16(block, b);
  const min = f16(block, b + 2);
  const high = u32(block, b + 4);
  for (let j = 0; j < 16; j++) {
    const q = block[b + 8 + j]!;
    out[o + j] = d * ((q & 15) | (((high >> j) & 1) << 4)) + min;
    out[o + 16 + j] = d * ((q >> 4) | (((high >> (j + 16)) & 1) << 4)) + min;
  }
}

function readQ8o0(block: Uint8Array, b: number, out: Float32Array, o: number): void {
  const d = f16(block, b);
  for (let j = 0; j < 32; j++) out[o + j] = d * i8(block[b + 2 + j]!);
}

/** Scale (6 bits) of the sub-block s of 32 in a block of Q4_K or Q5_K, whose twelve packed bytes begin at b. */
const scaleK = (block: Uint8Array, b: number, s: number): number =>
  s < 4 ? block[b + s]! & 63 : (block[b + s + 4]! & 15) | ((block[b + s - 4]! >> 6) << 4);

/** Minimum (6 bits) of the sub-block s. */
const minimumK = (block: Uint8Array, b: number, s: number): number =>
  s < 4 ? block[b + s + 4]! & 63 : (block[b + s + 4]! >> 4) | ((block[b + s]! >> 6) << 4);

function readQ4K(block: Uint8Array, b: number, out: Float32Array, o: number): void {
  for (let s = 0; s < 8; s++) {
    const d = f16(block, b) * scaleK(block, b + 4, s);
    const min = f16(block, b + 2) * minimumK(block, b + 4, s);
    const quants = b + 16 + (s >> 1) * 32; // two sub-blocks share 32 bytes: low nibbles, then high ones
    const shift = (s & 1) * 4;
    for (let j = 0; j < 32; j++) out[o + s * 32 + j] = d * ((block[quants + j]! >> shift) & 15) - min;
  }
}

function readQ5K(block: Uint8Array, b: number, out: Float32Array, o: number): void {
  for (let s = 0; s < 8; s++) {
    const d = f16(block, b) * scaleK(block, b + 4, s);
    const min = f16(block, b + 2) * minimumK(block, b + 4, s);
    const quants = b + 48 + (s >> 1) * 32;
    const shift = (s & 1) * 4;
    for (let j = 0; j < 32; j++) {
      const high = (block[b + 16 + j]! >> s) & 1;
      out[o + s * 32 + j] = d * (((block[quants + j]! >> shift) & 15) | (high << 4)) - min;
    }
  }
}

function readQ6K(block: Uint8Array, b: number, out: Float32Array, o: number): void {
  const d = f16(block, b + 208);
  for (let i = 0; i < 256; i++) {
    const half = i >> 7; // 128 values share 64 bytes of low nibbles and 32 of upper bits
    const quarter = (i >> 5) & 3;
    const j = i & 31;
    const low = (block[b + half * 64 + (quarter & 1) * 32 + j]! >> ((quarter >> 1) * 4)) & 15;
    const high = (block[b + 128 + half * 32 + j]! >> (quarter * 2)) & 3;
    out[o + i] = d * i8(block[b + 192 + (i >> 4)]!) * ((low | (high << 4)) - 32);
  }
}
