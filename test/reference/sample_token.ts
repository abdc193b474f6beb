import { philox } from "../../src/random.ts";

/** Gumbel noise of vocabulary entry v: a function of (seed, stream, count, v) alone, in float64. */
export function gumbel(seed: number, stream: number, count: number, v: number): number {
  const word = philox([count, v >>> 2, 2, 0], [seed, stream])[v & 3]!;
  return -Math.log(-Math.log(((word >>> 9) + 0.5) / 2 ** 23));
}

/** What each token of a row scores: the highest is sampled. At temperature 0 the logits themselves. */
export function scores(logits: ArrayLike<number>, seed: number, stream: number, count: number, temperature: number): Float64Array {
  return Float64Array.from(logits, (logit, v) => (temperature === 0 ? logit : logit / temperature + gumbel(seed, stream, count, v)));
}

/** The sampled token of a row: the lowest index of the highest score. */
export function sampleToken(logits: ArrayLike<number>, seed: number, stream: number, count: number, temperature: number): number {
  const all = scores(logits, seed, stream, count, temperature);
  return all.indexOf(Math.max(...all));
}
