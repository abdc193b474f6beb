import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, numel, type Tensor } from "../gpu/tensor.ts";

/** The gradient of swiglu's gate_up [T, 2 F] from dy [T, F]. */
export function swigluBackward(gpu: Gpu, { gate_up, dy }: { gate_up: Tensor; dy: Tensor }, { dgate_up }: { dgate_up: Tensor }): void {
  const [T = 0, F = 0] = dy.shape;
  for (const t of [gate_up, dgate_up]) expectShape(t, [T, 2 * F]);
  const entries = numel(dy.shape);
  const groups = Math.ceil(entries / 256);
  const workgroups = [Math.min(groups, 65535), Math.ceil(groups / 65535)] as const;
  gpu.run("swiglu_backward", { gate_up, dy }, { dgate_up }, { params: { entries, F }, workgroups });
}
