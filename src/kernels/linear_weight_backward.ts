import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";
import type { LinearOptions } from "./linear.ts";

/** What a weight's gradient is made of. */
export interface WeightGradients {
  dy: Tensor;
  x: Tensor;
}

type Options = Pick<LinearOptions, "scale" | "shard">;

/**
 * dweight [N, K] += scale * dy [rows, N]ᵀ x [rows, K]. K must be a multiple of 4. With a shard, dy has a column for each row of the
 * larger weight, and the shard's own are read.
 */
export function linearWeightBackward(gpu: Gpu, gradients: WeightGradients, { dweight }: { dweight: Tensor }, options: Options = {}): void {
  const { K, N, ...call } = weightCall(gradients, dweight, options);
  const workgroups = [Math.ceil(K / 16), Math.ceil(N / 4)] as const;
  gpu.run("linear_weight_backward", { ...gradients }, { dweight }, { ...call, constants: { K, N }, workgroups });
}

/** What a dispatch needs but its workgroups and the shape, which is checked. */
export function weightCall({ dy, x }: WeightGradients, dweight: Tensor, { scale = 1, shard }: Options) {
  const [rows = 0] = dy.shape;
  const [N = 0, K = 0] = dweight.shape;
  const { first: column, rows: width } = shard ?? { first: 0, rows: N };
  if (K % 4 !== 0) throw new Error(`${x.name} has ${K} columns, expected a multiple of 4`);
  expectShape(x, [rows, K]);
  expectShape(dy, [rows, width]);
  return { K, N, params: { rows, scale, column, width }, flops: 2 * rows * N * K };
}
