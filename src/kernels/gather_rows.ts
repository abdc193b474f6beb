import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";

/** y [M, C] = rows `rows` [M] of x [T, C]. */
export function gatherRows(gpu: Gpu, { x, rows }: { x: Tensor; rows: Tensor }, { y }: { y: Tensor }): void {
  const [, C = 0] = x.shape;
  const [M = 0] = rows.shape;
  expectShape(y, [M, C]);
  gpu.run("gather_rows", { x, rows }, { y }, { constants: { C }, workgroups: [Math.ceil(C / 64), M] });
}
