import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";

interface Inputs {
  x: Tensor;
  weight: Tensor;
  rstd: Tensor;
  dy: Tensor;
  residual: Tensor;
}

/** dx [N, C] = residual + the gradient of rms_norm's x from dy; rstd [N] is the forward pass's. */
export function rmsNormBackward(gpu: Gpu, { x, weight, rstd, dy, residual }: Inputs, { dx }: { dx: Tensor }): void {
  const [N = 0, C = 0] = x.shape;
  expectShape(weight, [C]);
  expectShape(rstd, [N]);
  for (const t of [dy, residual, dx]) expectShape(t, [N, C]);
  const workgroups = [Math.min(N, 65535), Math.ceil(N / 65535)] as const;
  gpu.run("rms_norm_backward", { x, weight, rstd, dy, residual }, { dx }, { constants: { C }, params: { rows: N }, workgroups });
}
