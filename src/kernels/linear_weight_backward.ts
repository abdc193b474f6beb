import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";
import type { LinearOptions } from "./linear.ts";

/**
 * dweight [N, K] += scale * dy [rows, N]ᵀ x [rows, K]. K must be a multiple of 4. With a shard, dy has a column for each row of the
 * larger weight, and the shard's own are read.
 */
export function linearWeightBackward(
  gpu: Gpu,
  { dy, x }: { dy: Tensor; x: Tensor },
  { dweight }: { dweight: Tensor },
  { scale = 1, shard }: Pick<LinearOptions, "scale" | "shard"> = {},
): void {
  const [rows = 0] = dy.shape;
  const [N = 0, K = 0] = dweight.shape;
  const { first: column, rows: width } = shard ?? { first: 0, rows: N };
  if (K % 4 !== 0) throw new Error(`${x.name} has ${K} columns, expected a multiple of 4`);
  expectShape(x, [rows, K]);
  expectShape(dy, [rows, width]);
  const workgroups = [Math.ceil(K / 16), Math.ceil(N / 4)] as const;
  gpu.run(
    "linear_weight_backward",
    { dy, x },
    { dweight },
    { constants: { K, N }, params: { rows, scale, column, width }, workgroups, flops: 2 * rows * N * K },
  );
}
