import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";
import type { Heads } from "./rope.ts";

/** Keys of a chunk: CHUNK in attention_split.wgsl and attention_join.wgsl. */
const CHUNK = 128;

/** Chunks of a token that sees so many keys. */
export const attentionChunks = (keys: number): number => Math.max(1, Math.ceil(keys / CHUNK));

interface Inputs {
  qkv: Tensor;
  norms: Tensor | null;
  positions: Tensor;
  spans: Tensor;
  rotary: Tensor;
}

/**
 * rope and the first half of attention, for tokens that are each the last of its sequence: k and v [S, KV * D] get the new keys and
 * values in the last slot of each token's span, parts [T, chunks, H, D + 2] what each chunk of a token's keys gives; with one chunk,
 * parts is o [T, H * D] itself. `chunks` suffices for the longest span; `keys`, how many slots all tokens see together, counts the work.
 */
export function attentionSplit(
  gpu: Gpu,
  { qkv, norms, positions, spans, rotary }: Inputs,
  { k, v, parts }: { k: Tensor; v: Tensor; parts: Tensor },
  { heads, kvHeads, headSize: D, normEps }: Heads,
  { chunks, keys = 0 }: { chunks: number; keys?: number },
): void {
  const [T = 0] = qkv.shape;
  const [S = 0] = k.shape;
  if (D % 4 !== 0) throw new Error(`the head size is ${D}, expected a multiple of 4`);
  expectShape(qkv, [T, (heads + 2 * kvHeads) * D]);
  if (norms) expectShape(norms, [2, D]);
  expectShape(positions, [T]);
  expectShape(spans, [T, 4]);
  expectShape(k, [S, kvHeads * D]);
  expectShape(v, [S, kvHeads * D]);
  expectShape(parts, chunks === 1 ? [T, heads * D] : [T, chunks, heads, D + 2]);
  const norm = norms && { NORM: 1, EPS: normEps };
  gpu.run(
    "attention_split",
    { qkv, norms: norms ?? rotary, positions, spans, rotary },
    { k, v, parts },
    {
      constants: { HEADS: heads, KV_HEADS: kvHeads, D, ...norm, DIRECT: Number(chunks === 1) },
      params: { chunks },
      workgroups: [chunks, T, kvHeads],
      flops: 4 * keys * heads * D,
    },
  );
}
