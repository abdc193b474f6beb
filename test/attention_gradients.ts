import { type Bench, randomNormal } from "./gpu.ts";
import { type AttentionShape, attention, packedSpans } from "./reference/attention.ts";
import { attentionBackwardDelta } from "./reference/attention_backward_delta.ts";

/** What the gradients of attention over a pack are computed from: its numbers, for the reference, and its tensors. */
export function attentionGradients({ input }: Bench, { H, KV, D }: AttentionShape, prompt: number, completions: readonly number[]) {
  const { spans, readers } = packedSpans(prompt, completions);
  const T = spans.length / 4;
  const q = randomNormal("q", T * H * D);
  const k = randomNormal("k", T * KV * D);
  const v = randomNormal("v", T * KV * D);
  const d_o = randomNormal("d_o", T * H * D);
  const { o, lse } = attention(q, k, v, spans, { H, KV, D });
  const stats = Float32Array.from(attentionBackwardDelta(o, d_o, lse, D));
  const tensors = {
    q: input("q", [T, H * D], q),
    k: input("k", [T, KV * D], k),
    v: input("v", [T, KV * D], v),
    d_o: input("d_o", [T, H * D], d_o),
    stats: input("stats", [T, H, 2], stats),
  };
  return {
    T,
    numbers: { q, k, v, d_o, stats, spans },
    tensors,
    spans: input("spans", [T, 4], spans),
    readers: input("readers", [T, 2], readers),
  };
}
