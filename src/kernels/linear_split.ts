import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";
import { type LinearInputs, type LinearOptions, linearCall } from "./linear.ts";

interface SplitOptions extends Pick<LinearOptions, "shard"> {
  /** x goes through rms_norm with these weights [K] first. */
  readonly norm?: { readonly weight: Tensor; readonly eps: number } | null;
  /** y [rows, N / 2] = silu(g) * u: the weight's first half of rows gives g, the second u. Without bias and shards. */
  readonly gated?: boolean;
}

/** Weights of a workgroup's tile. */
const COLUMNS = 8;

/**
 * What linear gives but for the order of the sums, which split K: for few rows on a graphics card, where linear's tiles leave most
 * of it idle. A row's result does not depend on the rows beside it.
 */
export function linearSplit(
  gpu: Gpu,
  inputs: LinearInputs,
  { y }: { y: Tensor },
  { norm, gated = false, ...options }: SplitOptions = {},
): void {
  const { weight, bias, x, residual } = inputs;
  const [rows = 0, K = 0] = x.shape;
  const [N = 0] = weight.shape;
  if (norm) expectShape(norm.weight, [K]);
  if (gated && (bias || options.shard)) throw new Error("linear_split: a gated product has no bias and no shards");
  if (gated) expectShape(y, [rows, N / 2]);
  // A gated product's own y has half the columns; what is checked here is all else.
  const { bindings, constants, flops } = linearCall({ ...inputs, residual: null }, gated ? { ...y, shape: [rows, N] } : y, options);
  if (residual) expectShape(residual, y.shape);
  const { ACCUMULATE: _, ...formats } = constants;
  const columns = gated ? N / 2 : N;
  const { first: column, rows: width } = options.shard ?? { first: 0, rows: columns };
  const TM = rows > 4 ? 2 : 1;
  gpu.run(
    "linear_split",
    { x, norm: norm?.weight ?? weight, weight, scales: bindings.scales, bias: bindings.bias, residual: residual ?? weight },
    { y },
    {
      constants: {
        ...formats,
        RESIDUAL: Number(Boolean(residual)),
        ...(norm && { NORM: 1, EPS: norm.eps }),
        GATED: Number(gated),
      },
      sizes: { TM },
      params: { rows, column, width, K, N },
      workgroups: [Math.ceil(columns / (gated ? COLUMNS / 2 : COLUMNS)), Math.ceil(rows / (4 * TM))],
      flops,
    },
  );
}
