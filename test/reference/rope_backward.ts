import { rmsNorm } from "./rms_norm.ts";
import { rmsNormBackward } from "./rms_norm_backward.ts";
import type { HeadShape, RopeInputs } from "./rope.ts";

/** dqkv [T, (heads + 2 kvHeads) * D] from the gradients of rope's outputs, in float64. */
export function ropeBackward(
  dq: ArrayLike<number>,
  dk: ArrayLike<number>,
  dv: ArrayLike<number>,
  { qkv, norms, positions, rotary }: RopeInputs,
  { heads, kvHeads, headSize: D, normEps }: HeadShape,
): Float64Array {
  const all = heads + 2 * kvHeads;
  const dqkv = new Float64Array(positions.length * all * D);
  const gradient = (t: number, head: number): Float64Array => {
    const take = (of: ArrayLike<number>, h: number, count: number) =>
      Float64Array.from({ length: D }, (_, i) => of[(t * count + h) * D + i]!);
    if (head >= heads + kvHeads) return take(dv, head - heads - kvHeads, kvHeads);
    const dy = head < heads ? take(dq, head, heads) : take(dk, head - heads, kvHeads);
    const dx = dy.map((value, i) => {
      const angle = positions[t]! * D + (i % (D / 2));
      const partner = i < D / 2 ? dy[i + D / 2]! : -dy[i - D / 2]!;
      return value * rotary[angle]! + partner * rotary[angle + D / 2]!;
    });
    if (!norms) return dx;
    const weight = Array.from({ length: D }, (_, i) => norms[(head < heads ? 0 : D) + i]!);
    const x = Float64Array.from({ length: D }, (_, i) => qkv[(t * all + head) * D + i]!);
    return rmsNormBackward(x, weight, rmsNorm(x, weight, normEps).rstd, dx, new Float64Array(D));
  };
  for (let t = 0; t < positions.length; t++) {
    for (let head = 0; head < all; head++) dqkv.set(gradient(t, head), (t * all + head) * D);
  }
  return dqkv;
}
