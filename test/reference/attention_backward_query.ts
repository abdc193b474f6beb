import { type AttentionShape, score, visibleSlots } from "./attention.ts";

export interface AttentionTensors {
  readonly q: ArrayLike<number>;
  readonly k: ArrayLike<number>;
  readonly v: ArrayLike<number>;
  readonly d_o: ArrayLike<number>;
  /** [T, H, 2]: lse, delta. */
  readonly stats: ArrayLike<number>;
  readonly spans: ArrayLike<number>;
}

/** p and dloss/dscore of one key of one row (token and head); `key` is where the key begins in k and v. */
export function keyGradient(tensors: AttentionTensors, shape: AttentionShape, row: number, slot: number) {
  const { q, k, v, d_o, stats } = tensors;
  const { H, KV, D } = shape;
  const t = Math.floor(row / H);
  const head = row % H;
  const key = (slot * KV + Math.floor(head / (H / KV))) * D;
  const p = Math.exp(score(q, k, t, head, slot, shape) - stats[2 * row]!);
  let dp = 0;
  for (let d = 0; d < D; d++) dp += d_o[row * D + d]! * v[key + d]!;
  return { key, p, dscore: p * (dp - stats[2 * row + 1]!) };
}

/** dq [T, H * D] of attention, by plain loops in float64. */
export function attentionBackwardQuery(tensors: AttentionTensors, shape: AttentionShape): Float64Array {
  const { q, k, spans } = tensors;
  const { H, D } = shape;
  const dq = new Float64Array(q.length);
  for (let row = 0; row < q.length / D; row++) {
    for (const slot of visibleSlots(spans, Math.floor(row / H))) {
      const { key, dscore } = keyGradient(tensors, shape, row, slot);
      for (let d = 0; d < D; d++) dq[row * D + d]! += (dscore * k[key + d]!) / Math.sqrt(D);
    }
  }
  return dq;
}
