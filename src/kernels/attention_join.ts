import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";

/** o [T, H * D] from the parts [T, chunks, H, D + 2] that attention_split left, chunk by chunk in their order. */
export function attentionJoin(gpu: Gpu, { parts, spans }: { parts: Tensor; spans: Tensor }, { o }: { o: Tensor }): void {
  const [T = 0, chunks = 0, HEADS = 0, columns = 0] = parts.shape;
  const D = columns - 2;
  expectShape(spans, [T, 4]);
  expectShape(o, [T, HEADS * D]);
  const workgroups = [Math.ceil((T * HEADS * D) / 64)] as const;
  gpu.run("attention_join", { parts, spans }, { o }, { constants: { HEADS, D }, params: { tokens: T, chunks }, workgroups });
}
