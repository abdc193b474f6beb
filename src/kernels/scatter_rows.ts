import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";

/** Row slots[t] of y [S, N] = row t of x [T, N]. */
export function scatterRows(gpu: Gpu, { x, slots }: { x: Tensor; slots: Tensor }, { y }: { y: Tensor }): void {
  const [T = 0, N = 0] = x.shape;
  expectShape(slots, [T]);
  expectShape(y, [y.shape[0] ?? 0, N]);
  gpu.run("scatter_rows", { x, slots }, { y }, { constants: { N }, workgroups: [Math.ceil(N / 64), T] });
}
