import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";
import { weightFormat } from "../gpu/weight_format.ts";

/** How a product is scaled, and whether it is added to what the output holds. */
export interface LinearOptions {
  readonly scale?: number;
  readonly accumulate?: boolean;
  /** The weight is a shard of a larger one: its first row's place in that, and the larger one's rows. */
  readonly shard?: { readonly first: number; readonly rows: number };
}

/** Rows and columns of the output that one invocation computes: 4 or 8. The result is the same bits. */
export interface RegisterTile {
  readonly tall: boolean;
  readonly wide: boolean;
}

export interface LinearInputs {
  x: Tensor;
  weight: Tensor;
  scales?: Tensor | null;
  bias?: Tensor | null;
  residual?: Tensor | null;
}

/**
 * y [rows, N] = scale * x [rows, K] weight [N, K]ᵀ + bias [N] + residual [rows, N]. K must be a multiple of 4; weight is of any format, int8 and int4 with
 * their scales. With a shard, y, bias and residual have a column for each row of the larger weight, and the shard's own are written.
 */
export function linear(
  gpu: Gpu,
  inputs: LinearInputs,
  { y }: { y: Tensor },
  { tall = false, wide = false, ...options }: LinearOptions & Partial<RegisterTile> = {},
): void {
  const { bindings, constants, params, flops } = linearCall(inputs, y, options);
  const workgroups = [Math.ceil(params.N / (wide ? 64 : 32)), Math.ceil(params.rows / (tall ? 64 : 32))] as const;
  gpu.run("linear", bindings, { y }, { constants: { ...constants, TALL: Number(tall), WIDE: Number(wide) }, params, workgroups, flops });
}

/** What linear and linear_tiled have in common: the checks, and all of the dispatch but its size. */
export function linearCall({ x, weight, scales, bias, residual }: LinearInputs, y: Tensor, options: LinearOptions) {
  const { scale = 1, accumulate = false } = options;
  const [rows = 0, K = 0] = x.shape;
  const [N = 0] = weight.shape;
  const { first: column, rows: width } = options.shard ?? { first: 0, rows: N };
  if (K % 4 !== 0) throw new Error(`${x.name} has ${K} columns, expected a multiple of 4`);
  expectShape(weight, [N, K]);
  expectShape(y, [rows, width]);
  if (bias) expectShape(bias, [width]);
  if (residual) expectShape(residual, [rows, width]);
  return {
    // What is not there is never read; the weight stands in.
    bindings: { x, weight, scales: scales ?? weight, bias: bias ?? weight, residual: residual ?? weight },
    constants: {
      FORMAT: weightFormat(weight, scales),
      BIAS: Number(Boolean(bias)),
      RESIDUAL: Number(Boolean(residual)),
      ACCUMULATE: Number(accumulate),
    },
    params: { rows, scale, column, width, K, N },
    flops: 2 * rows * N * K,
  };
}
