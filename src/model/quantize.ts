// Numbers to int8 and int4, 32 neighbours of a row to a scale: scale = max|x| / 127 (int8) or / 7 (int4), q = x / scale rounded half to
// even, all in float32. What is stored defines the model: log-probabilities and gradients are those of q * scale.

import { GROUP } from "../gpu/weight_format.ts";

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
  const group = GROUP; // a model has hundreds of millions of values: the loops look nothing up
  const round = ROUND;
  if (values.length % group !== 0) throw new Error(`expected a multiple of ${group} values, found ${values.length}`);
  const bits = dtype === "int8" ? 8 : 4;
  const most = 2 ** (bits - 1) - 1;
  const mask = 2 ** bits - 1;
  const perWord = 32 / bits;
  const scales = new Float32Array(values.length / group);
  const words = new Uint32Array(values.length / perWord);
  for (let g = 0; g < scales.length; g++) {
    const begin = g * group;
    let largest = 0;
    for (let i = begin; i < begin + group; i++) {
      const magnitude = Math.abs(values[i]!);
      if (magnitude > largest) largest = magnitude;
    }
    scales[g] = largest / most;
    const scale = scales[g]!;
    if (scale === 0) continue; // all q are 0
    for (let i = begin; i < begin + group; i += perWord) {
      let word = 0;
      for (let j = 0; j < perWord; j++) {
        const q = Math.fround(values[i + j]! / scale) + round - round;
        word |= ((q > most ? most : q < -most ? -most : q) & mask) << (j * bits);
      }
      words[i / perWord] = word;
    }
  }
  return { words, scales };
}
