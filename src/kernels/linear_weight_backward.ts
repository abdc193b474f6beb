import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";

/** dweight [N, K] += scale * dy [rows, N]ᵀ x [rows, K]. K must be a multiple of 4. */
export function linearWeightBackward(gpu: Gpu, { dy, x }: { dy: Tensor; x: Tensor }, { dweight }: { dweight: Tensor }, scale = 1): void {
  const [rows = 0, N = 0] = dy.shape;
  const [, K = 0] = x.shape;
  if (K % 4 !== 0) throw new Error(`${x.name} has ${K} columns, expected a multiple of 4`);
  expectShape(x, [rows, K]);
  expectShape(dweight, [N, K]);
  const workgroups = [Math.ceil(K / 16), Math.ceil(N / 4)] as const;
  gpu.run(
    "linear_weight_backward",
    { dy, x },
    { dweight },
    { constants: { K, N }, params: { rows, scale }, workgroups, flops: 2 * rows * N * K },
  );
}
