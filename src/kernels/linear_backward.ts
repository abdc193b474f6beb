import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";
import { weightFormat } from "../gpu/weight_format.ts";
import type { LinearOptions } from "./linear.ts";

/**
 * dx [rows, K] = scale * dy [rows, N] weight [N, K]. K must be a multiple of 4; weight is of any format, int8 and int4 with their
 * scales. With a shard, dy has a column for each row of the larger weight, and the shard's own are read.
 */
export function linearBackward(
  gpu: Gpu,
  { dy, weight, scales }: { dy: Tensor; weight: Tensor; scales?: Tensor | null },
  { dx }: { dx: Tensor },
  options: LinearOptions = {},
): void {
  const { scale = 1, accumulate = false } = options;
  const [rows = 0] = dy.shape;
  const [N = 0, K = 0] = weight.shape;
  const { first: column, rows: width } = options.shard ?? { first: 0, rows: N };
  if (K % 4 !== 0) throw new Error(`${weight.name} has ${K} columns, expected a multiple of 4`);
  expectShape(dy, [rows, width]);
  expectShape(dx, [rows, K]);
  const constants = { K, N, FORMAT: weightFormat(weight, scales), ACCUMULATE: Number(accumulate) };
  gpu.run(
    "linear_backward",
    { dy, weight, scales: scales ?? weight }, // scales that are never read: the weight stands in
    { dx },
    { constants, params: { rows, scale, column, width }, workgroups: [Math.ceil(K / 32), Math.ceil(rows / 32)], flops: 2 * rows * N * K },
  );
}
