// Numbers to int8 and int4, 32 neighbours of a row to a scale: scale = max|x| / 127 (int8) or / 7 (int4), q = x / scale rounded half to
// even, all in float32. What is stored defines the model: log-probabilities and gradients are those of q * scale.

import { GROUP } from "../gpu/weight_format.ts";

/** Largest magnitude of a quantised number. */
const LARGEST = { int8: 127, int4: 7 } as const;
const BITS = { int8: 8, int4: 4 } as const;

export interface Quantised {
  /** Two's complement, the first value in the lowest bits of the first word. */
  readonly words: Uint32Array<ArrayBuffer>;
  /** One for each group of 32. */
  readonly scales: Float32Array<ArrayBuffer>;
}

/** Added and taken away again, it rounds a double below 2^51 to a whole number, ties to even. */
const ROUND = 1.5 * 2 ** 52;

/**
 * Quantises rows of a matrix, one behind another; a row is a multiple of 32 long.
 * @throws Error where the values are no whole groups
 */
export function quantize(values: Float32Array, dtype: "int8" | "int4"): Quantised {
  if (values.length % GROUP !== 0) throw new Error(`expected a multiple of ${GROUP} values, found ${values.length}`);
  const bits = BITS[dtype];
  const perWord = 32 / bits;
  const mask = 2 ** bits - 1;
  const scales = new Float32Array(values.length / GROUP);
  const words = new Uint32Array(values.length / perWord);
  for (let group = 0; group < scales.length; group++) {
    const begin = group * GROUP;
    let largest = 0;
    for (let i = begin; i < begin + GROUP; i++) largest = Math.max(largest, Math.abs(values[i]!));
    scales[group] = largest / LARGEST[dtype];
    const scale = scales[group]!;
    if (scale === 0) continue; // all q are 0
    for (let i = begin; i < begin + GROUP; i++) {
      const q = Math.fround(values[i]! / scale) + ROUND - ROUND;
      words[(i / perWord) | 0]! |= (clamp(q, LARGEST[dtype]) & mask) << ((i % perWord) * bits);
    }
  }
  return { words, scales };
}

const clamp = (q: number, largest: number): number => (q > largest ? largest : q < -largest ? -largest : q);
