import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";
import { type HeadInputs, type Heads, headsCall } from "./rope.ts";

/** Keys of a chunk: CHUNK in attention_split.wgsl and attention_join.wgsl. */
const CHUNK = 128;

/** Chunks of a token that sees so many keys. */
export const attentionChunks = (keys: number): number => Math.max(1, Math.ceil(keys / CHUNK));

/**
 * rope and the first half of attention, for tokens that are each the last of its sequence: k and v [S, KV * D] get the new keys and
 * values in the last slot of each token's span, parts [T, chunks, H, D + 2] what each chunk of a token's keys gives; with one chunk,
 * parts is o [T, H * D] itself. `chunks` suffices for the longest span; `keys`, how many slots all tokens see together, counts the work.
 */
export function attentionSplit(
  gpu: Gpu,
  { spans, ...tokens }: HeadInputs & { spans: Tensor },
  { k, v, parts }: { k: Tensor; v: Tensor; parts: Tensor },
  shape: Heads,
  { chunks, keys = 0 }: { chunks: number; keys?: number },
): void {
  const { heads, kvHeads, headSize: D } = shape;
  const { qkv, norms, positions, rotary } = tokens;
  const { T, constants } = headsCall(tokens, { k, v }, shape);
  expectShape(spans, [T, 4]);
  expectShape(parts, chunks === 1 ? [T, heads * D] : [T, chunks, heads, D + 2]);
  gpu.run(
    "attention_split",
    { qkv, norms: norms ?? rotary, positions, spans, rotary },
    { k, v, parts },
    {
      constants: { ...constants, DIRECT: Number(chunks === 1) },
      params: { chunks },
      workgroups: [chunks, T, kvHeads],
      flops: 4 * keys * heads * D,
    },
  );
}
