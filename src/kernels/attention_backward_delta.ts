import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";

/** stats [T, H, 2] = (lse, sum over D of d_o * o) from o and d_o [T, H * D] and lse [T, H]. */
export function attentionBackwardDelta(
  gpu: Gpu,
  { o, d_o, lse }: { o: Tensor; d_o: Tensor; lse: Tensor },
  { stats }: { stats: Tensor },
  D: number,
): void {
  const [T = 0, width = 0] = o.shape;
  const HEADS = width / D;
  expectShape(d_o, [T, width]);
  expectShape(lse, [T, HEADS]);
  expectShape(stats, [T, HEADS, 2]);
  const dispatch = { constants: { HEADS, D }, params: { tokens: T }, workgroups: [Math.ceil(T / 64), HEADS] as const };
  gpu.run("attention_backward_delta", { o, d_o, lse }, { stats }, dispatch);
}
