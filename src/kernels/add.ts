import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, numel, type Tensor } from "../gpu/tensor.ts";

/** y = a + b, all of one shape. */
export function add(gpu: Gpu, { a, b }: { a: Tensor; b: Tensor }, { y }: { y: Tensor }): void {
  expectShape(b, a.shape);
  expectShape(y, a.shape);
  const entries = numel(a.shape);
  const groups = Math.ceil(entries / 256);
  gpu.run("add", { a, b }, { y }, { params: { entries }, workgroups: [Math.min(groups, 65535), Math.ceil(groups / 65535)] });
}
