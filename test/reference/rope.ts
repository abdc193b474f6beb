import { rmsNorm } from "./rms_norm.ts";

export interface RopeInputs {
  readonly qkv: ArrayLike<number>; // [T, (heads + 2 kvHeads) * D]
  /** [2, D], or null. */
  readonly norms: ArrayLike<number> | null;
  readonly positions: ArrayLike<number>;
  readonly rotary: ArrayLike<number>; // [P, D]: D/2 cosines, then D/2 sines
}

export interface HeadShape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly normEps: number;
}

/** q [T, heads * D], k and v [T, kvHeads * D] from the rows of qkv: heads of q and k normed, then turned by their positions' angles. */
export function rope(
  { qkv, norms, positions, rotary }: RopeInputs,
  { heads, kvHeads, headSize: D, normEps }: HeadShape,
): { q: Float64Array; k: Float64Array; v: Float64Array } {
  const T = positions.length;
  const row = (t: number, head: number) => {
    const at = (t * (heads + 2 * kvHeads) + head) * D;
    return Float64Array.from({ length: D }, (_, i) => qkv[at + i]!);
  };
  const turned = (t: number, head: number) => {
    const weight = norms && Array.from({ length: D }, (_, i) => norms[(head < heads ? 0 : D) + i]!);
    const x = weight ? rmsNorm(row(t, head), weight, normEps).y : row(t, head);
    return x.map((value, i) => {
      const angle = positions[t]! * D + (i % (D / 2));
      const partner = i < D / 2 ? -x[i + D / 2]! : x[i - D / 2]!;
      return value * rotary[angle]! + partner * rotary[angle + D / 2]!;
    });
  };
  const all = (from: number, count: number, of: typeof row) =>
    Float64Array.from(Array.from({ length: T }, (_, t) => Array.from({ length: count }, (_, h) => [...of(t, from + h)])).flat(2));
  return { q: all(0, heads, turned), k: all(heads, kvHeads, turned), v: all(heads + kvHeads, kvHeads, row) };
}
