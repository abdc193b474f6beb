import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, numel, type Tensor } from "../gpu/tensor.ts";

/** The gradients of swiglu's gate and up from dy, all [T, F]. */
export function swigluBackward(
  gpu: Gpu,
  { gate, up, dy }: { gate: Tensor; up: Tensor; dy: Tensor },
  { dgate, dup }: { dgate: Tensor; dup: Tensor },
): void {
  for (const t of [up, dy, dgate, dup]) expectShape(t, gate.shape);
  const entries = numel(gate.shape);
  const groups = Math.ceil(entries / 256);
  const workgroups = [Math.min(groups, 65535), Math.ceil(groups / 65535)] as const;
  gpu.run("swiglu_backward", { gate, up, dy }, { dgate, dup }, { params: { entries }, workgroups });
}
