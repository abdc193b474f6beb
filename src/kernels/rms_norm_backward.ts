import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";

interface Inputs {
  x: Tensor;
  weight: Tensor;
  rstd: Tensor;
  dy: Tensor;
  residual: Tensor;
}

/** dx [N, C] = residual + the gradient of rms_norm's x from dy; rstd [N] is the forward pass's. C must be a multiple of 4. */
export function rmsNormBackward(gpu: Gpu, { x, weight, rstd, dy, residual }: Inputs, { dx }: { dx: Tensor }): void {
  const [N = 0, C = 0] = x.shape;
  if (C % 4 !== 0) throw new Error(`${x.name} has ${C} columns, expected a multiple of 4`);
  expectShape(weight, [C]);
  expectShape(rstd, [N]);
  for (const t of [dy, residual, dx]) expectShape(t, [N, C]);
  gpu.run(
    "rms_norm_backward",
    { x, weight, rstd, dy, residual },
    { dx },
    { constants: { C }, params: { rows: N }, workgroups: [Math.ceil(N / 32)] },
  );
}
