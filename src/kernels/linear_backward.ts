import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";
import type { LinearOptions } from "./linear.ts";

/** dx [rows, K] = scale * dy [rows, N] weight [N, K]. K must be a multiple of 4; weight is f32 or packed f16. */
export function linearBackward(
  gpu: Gpu,
  { dy, weight }: { dy: Tensor; weight: Tensor },
  { dx }: { dx: Tensor },
  options: LinearOptions = {},
): void {
  const { scale = 1, accumulate = false } = options;
  const [rows = 0, N = 0] = dy.shape;
  const [, K = 0] = weight.shape;
  if (K % 4 !== 0) throw new Error(`${weight.name} has ${K} columns, expected a multiple of 4`);
  expectShape(weight, [N, K]);
  expectShape(dx, [rows, K]);
  const constants = { K, N, F16: Number(weight.dtype === "f16"), ACCUMULATE: Number(accumulate) };
  gpu.run(
    "linear_backward",
    { dy, weight },
    { dx },
    { constants, params: { rows, scale }, workgroups: [Math.ceil(K / 32), Math.ceil(rows / 32)] },
  );
}
