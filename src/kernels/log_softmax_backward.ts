import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";

/** Turns logits [M, V], in place, into the gradient of each row's target log-probability; lse [M] is log_softmax's. */
export function logSoftmaxBackward(gpu: Gpu, { lse, targets }: { lse: Tensor; targets: Tensor }, { logits }: { logits: Tensor }): void {
  const [M = 0, V = 0] = logits.shape;
  expectShape(lse, [M]);
  expectShape(targets, [M]);
  gpu.run("log_softmax_backward", { lse, targets }, { logits }, { constants: { V }, workgroups: [Math.ceil(V / 64), M] });
}
