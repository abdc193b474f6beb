import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, numel, type Tensor } from "../gpu/tensor.ts";

/** partials [G, 2]: sums of squares and counts of NaN and Inf over G interleaved parts of x; sum_partials adds them up. */
export function sumOfSquares(gpu: Gpu, { x }: { x: Tensor }, { partials }: { partials: Tensor }): void {
  const [groups = 0] = partials.shape;
  expectShape(partials, [groups, 2]);
  gpu.run("sum_of_squares", { x }, { partials }, { params: { entries: numel(x.shape), groups }, workgroups: [groups] });
}
