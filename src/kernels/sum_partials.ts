import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";

/** sums [2] = the columns' sums of partials [P, 2]. */
export function sumPartials(gpu: Gpu, { partials }: { partials: Tensor }, { sums }: { sums: Tensor }): void {
  const [parts = 0] = partials.shape;
  expectShape(partials, [parts, 2]);
  expectShape(sums, [2]);
  gpu.run("sum_partials", { partials }, { sums }, { params: { parts }, workgroups: [1] });
}
