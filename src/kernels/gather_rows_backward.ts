import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";

interface Inputs {
  dy: Tensor;
  weight: Tensor;
  order: Tensor;
  starts: Tensor;
}

/** dx [T, C]: row t sums weight[m] * dy[m] over m = order[starts[t]] .. order[starts[t + 1] - 1]. */
export function gatherRowsBackward(gpu: Gpu, { dy, weight, order, starts }: Inputs, { dx }: { dx: Tensor }): void {
  const [M = 0, C = 0] = dy.shape;
  const [T = 0] = dx.shape;
  expectShape(weight, [M]);
  expectShape(order, [M]);
  expectShape(starts, [T + 1]);
  expectShape(dx, [T, C]);
  gpu.run("gather_rows_backward", { dy, weight, order, starts }, { dx }, { constants: { C }, workgroups: [Math.ceil(C / 64), T] });
}
