import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, numel, type Tensor } from "../gpu/tensor.ts";

/** y = silu(gate) * up, all [T, F]. */
export function swiglu(gpu: Gpu, { gate, up }: { gate: Tensor; up: Tensor }, { y }: { y: Tensor }): void {
  expectShape(up, gate.shape);
  expectShape(y, gate.shape);
  const entries = numel(gate.shape);
  const groups = Math.ceil(entries / 256);
  gpu.run("swiglu", { gate, up }, { y }, { params: { entries }, workgroups: [Math.min(groups, 65535), Math.ceil(groups / 65535)] });
}
