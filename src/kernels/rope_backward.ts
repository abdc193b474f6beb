import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";

/** dx [T, heads * D]: the gradient of rope's input, row by row. */
export function ropeBackward(
  gpu: Gpu,
  { dy, positions, rotary }: { dy: Tensor; positions: Tensor; rotary: Tensor },
  { dx }: { dx: Tensor },
): void {
  const [T = 0, WIDTH = 0] = dy.shape;
  const [, D = 0] = rotary.shape;
  expectShape(positions, [T]);
  expectShape(dx, [T, WIDTH]);
  const workgroups = [Math.ceil(WIDTH / 128), T] as const;
  gpu.run("rope_backward", { dy, positions, rotary }, { dx }, { constants: { WIDTH, D }, workgroups });
}
