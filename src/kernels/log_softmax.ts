import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";

/** logp [M]: the log-probability of targets [M] in each row of logits [M, V]; lse [M] is kept for the backward pass. */
export function logSoftmax(
  gpu: Gpu,
  { logits, targets }: { logits: Tensor; targets: Tensor },
  { logp, lse }: { logp: Tensor; lse: Tensor },
): void {
  const [M = 0, V = 0] = logits.shape;
  const LANES = V > 4096 ? 256 : 16; // as in sample_token
  for (const t of [targets, logp, lse]) expectShape(t, [M]);
  gpu.run("log_softmax", { logits, targets }, { logp, lse }, { constants: { V, LANES }, workgroups: [M] });
}
