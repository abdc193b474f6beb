import { linear } from "./linear.ts";
import { rmsNorm } from "./rms_norm.ts";
import { swiglu } from "./swiglu.ts";

interface Split {
  readonly norm?: { readonly weight: ArrayLike<number>; readonly eps: number } | null;
  readonly gated?: boolean;
}

/** linear of x, or of its rms_norm; gated: silu of the first half of each row times the second. */
export function linearSplit(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  bias: ArrayLike<number> | null,
  K: number,
  N: number,
  { norm, gated }: Split = {},
): Float64Array {
  const y = linear(norm ? rmsNorm(x, norm.weight, norm.eps).y : x, weight, bias, K, N);
  if (!gated) return y;
  return swiglu(
    y.filter((_, i) => i % N < N / 2),
    y.filter((_, i) => i % N >= N / 2),
  );
}
