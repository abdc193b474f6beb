import { type AttentionShape, visibleSlots } from "./attention.ts";
import { type AttentionTensors, keyGradient } from "./attention_backward_query.ts";

/** dk and dv [S, KV * D] of attention, token by token in float64. */
export function attentionBackwardKeyValue(tensors: AttentionTensors, shape: AttentionShape): { dk: Float64Array; dv: Float64Array } {
  const { q, k, d_o, spans } = tensors;
  const { H, D } = shape;
  const dk = new Float64Array(k.length);
  const dv = new Float64Array(k.length);
  for (let row = 0; row < q.length / D; row++) {
    for (const slot of visibleSlots(spans, Math.floor(row / H))) {
      const { key, p, dscore } = keyGradient(tensors, shape, row, slot);
      for (let d = 0; d < D; d++) {
        dv[key + d]! += p * d_o[row * D + d]!;
        dk[key + d]! += (dscore * q[row * D + d]!) / Math.sqrt(D);
      }
    }
  }
  return { dk, dv };
}
