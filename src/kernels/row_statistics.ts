import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";

/**
 * statistics [M, 4] of each row of logits [M, V], whose log-sum-exp is lse [M]: mean logit, entropy in nats, 1 if targets [M] has the
 * largest logit (of equals the lowest index) else 0, and 0.
 */
export function rowStatistics(
  gpu: Gpu,
  { logits, lse, targets }: { logits: Tensor; lse: Tensor; targets: Tensor },
  { statistics }: { statistics: Tensor },
): void {
  const [M = 0, V = 0] = logits.shape;
  const LANES = V > 4096 ? 256 : 16; // as in log_softmax
  for (const t of [lse, targets]) expectShape(t, [M]);
  expectShape(statistics, [M, 4]);
  gpu.run("row_statistics", { logits, lse, targets }, { statistics }, { constants: { V, LANES }, workgroups: [M] });
}
