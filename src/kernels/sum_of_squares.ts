import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, numel, type Tensor } from "../gpu/tensor.ts";

/** partials [P, 2]: sums of squares and counts of NaN and Inf over P interleaved parts of x; sum_partials adds them up. */
export function sumOfSquares(gpu: Gpu, { x }: { x: Tensor }, { partials }: { partials: Tensor }): void {
  const [parts = 0] = partials.shape;
  expectShape(partials, [parts, 2]);
  gpu.run("sum_of_squares", { x }, { partials }, { params: { entries: numel(x.shape), parts }, workgroups: [Math.ceil(parts / 64)] });
}
