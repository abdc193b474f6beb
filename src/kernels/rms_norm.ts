import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";

/** y [N, C] = x / rms(x) * weight [C], row by row; rstd [N] = 1 / rms(x) is kept for the backward pass. C must be a multiple of 4. */
export function rmsNorm(
  gpu: Gpu,
  { x, weight }: { x: Tensor; weight: Tensor },
  { y, rstd }: { y: Tensor; rstd: Tensor },
  eps: number,
): void {
  const [N = 0, C = 0] = x.shape;
  if (C % 4 !== 0) throw new Error(`${x.name} has ${C} columns, expected a multiple of 4`);
  expectShape(weight, [C]);
  expectShape(y, [N, C]);
  expectShape(rstd, [N]);
  gpu.run("rms_norm", { x, weight }, { y, rstd }, { constants: { C, EPS: eps }, params: { rows: N }, workgroups: [Math.ceil(N / 32)] });
}
