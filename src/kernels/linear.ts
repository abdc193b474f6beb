import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";

/** How a product is scaled, and whether it is added to what the output holds. */
export interface LinearOptions {
  readonly scale?: number;
  readonly accumulate?: boolean;
}

/** y [rows, N] = scale * x [rows, K] weight [N, K]ᵀ + bias [N]. K must be a multiple of 4; weight is f32 or packed f16. */
export function linear(
  gpu: Gpu,
  inputs: { x: Tensor; weight: Tensor; bias?: Tensor | null },
  { y }: { y: Tensor },
  options: LinearOptions = {},
): void {
  const { x, weight, bias } = inputs;
  const { scale = 1, accumulate = false } = options;
  const [rows = 0, K = 0] = x.shape;
  const [N = 0] = weight.shape;
  if (K % 4 !== 0) throw new Error(`${x.name} has ${K} columns, expected a multiple of 4`);
  expectShape(weight, [N, K]);
  expectShape(y, [rows, N]);
  if (bias) expectShape(bias, [N]);
  const constants = { K, N, F16: Number(weight.dtype === "f16"), BIAS: Number(Boolean(bias)), ACCUMULATE: Number(accumulate) };
  // Without a bias its binding is never read; the weight stands in.
  gpu.run(
    "linear",
    { x, weight, bias: bias ?? weight },
    { y },
    { constants, params: { rows, scale }, workgroups: [Math.ceil(N / 32), Math.ceil(rows / 32)] },
  );
}
