import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";

interface Inputs {
  x: Tensor;
  positions: Tensor;
  slots: Tensor;
  rotary: Tensor;
}

/** Row slots[t] of y [S, heads * D] = row t of x [T, heads * D], turned by its position; rotary [P, D] is rotaryTable's. */
export function rope(gpu: Gpu, { x, positions, slots, rotary }: Inputs, { y }: { y: Tensor }): void {
  const [T = 0, WIDTH = 0] = x.shape;
  const [, D = 0] = rotary.shape;
  expectShape(positions, [T]);
  expectShape(slots, [T]);
  expectShape(y, [y.shape[0] ?? 0, WIDTH]);
  const workgroups = [Math.ceil(WIDTH / 128), T] as const;
  gpu.run("rope", { x, positions, slots, rotary }, { y }, { constants: { WIDTH, D }, workgroups });
}
