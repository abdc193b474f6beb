import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";
import { lanesOfTokens } from "./attention.ts";

interface Inputs {
  q: Tensor;
  k: Tensor;
  v: Tensor;
  d_o: Tensor;
  stats: Tensor;
  spans: Tensor;
}

/** dq [T, H * D]: the gradient of attention's q; stats [T, H, 2] is attention_backward_delta's. */
export function attentionBackwardQuery(
  gpu: Gpu,
  { q, k, v, d_o, stats, spans }: Inputs,
  { dq }: { dq: Tensor },
  D: number,
  keys = 0,
): void {
  const [T = 0, width = 0] = q.shape;
  const [, keyWidth = 0] = k.shape;
  const HEADS = width / D;
  if (D % 4 !== 0) throw new Error(`the head size is ${D}, expected a multiple of 4`);
  expectShape(v, k.shape);
  expectShape(d_o, [T, width]);
  expectShape(stats, [T, HEADS, 2]);
  expectShape(spans, [T, 4]);
  expectShape(dq, [T, width]);
  const KV_HEADS = keyWidth / D;
  const { LANES, workgroups } = lanesOfTokens(gpu, T, { HEADS, KV_HEADS, D });
  const dispatch = { constants: { HEADS, KV_HEADS, D, LANES }, params: { tokens: T }, workgroups, flops: 6 * keys * width };
  gpu.run("attention_backward_query", { q, k, v, d_o, stats, spans }, { dq }, dispatch);
}
