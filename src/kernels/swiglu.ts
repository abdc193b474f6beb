import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, numel, type Tensor } from "../gpu/tensor.ts";

/** y [T, F] = silu(gate) * up, gate the first F columns of gate_up [T, 2 F] and up the others. */
export function swiglu(gpu: Gpu, { gate_up }: { gate_up: Tensor }, { y }: { y: Tensor }): void {
  const [T = 0, F = 0] = y.shape;
  expectShape(gate_up, [T, 2 * F]);
  const entries = numel(y.shape);
  const groups = Math.ceil(entries / 256);
  gpu.run("swiglu", { gate_up }, { y }, { params: { entries, F }, workgroups: [Math.min(groups, 65535), Math.ceil(groups / 65535)] });
}
