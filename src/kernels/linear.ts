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

interface Inputs {
  x: Tensor;
  weight: Tensor;
  scales?: Tensor | null;
  bias?: Tensor | null;
}

/**
 * y [rows, N] = scale * x [rows, K] weight [N, K]ᵀ + bias [N]. K must be a multiple of 4; weight is of any format, int8 and int4 with
 * their scales. With a shard, y and bias have a column for each row of the larger weight, and the shard's own are written.
 */
export function linear(gpu: Gpu, { x, weight, scales, bias }: Inputs, { y }: { y: Tensor }, options: LinearOptions = {}): void {
  const { scale = 1, accumulate = false } = options;
  const [rows = 0, K = 0] = x.shape;
  const [N = 0] = weight.shape;
  const { first: column, rows: width } = options.shard ?? { first: 0, rows: N };
  if (K % 4 !== 0) throw new Error(`${x.name} has ${K} columns, expected a multiple of 4`);
  expectShape(weight, [N, K]);
  expectShape(y, [rows, width]);
  if (bias) expectShape(bias, [width]);
  const constants = { K, N, FORMAT: weightFormat(weight, scales), BIAS: Number(Boolean(bias)), ACCUMULATE: Number(accumulate) };
  // Scales and bias that are not there are never read; the weight stands in.
  gpu.run(
    "linear",
    { x, weight, scales: scales ?? weight, bias: bias ?? weight },
    { y },
    { constants, params: { rows, scale, column, width }, workgroups: [Math.ceil(N / 32), Math.ceil(rows / 32)], flops: 2 * rows * N * K },
  );
}
