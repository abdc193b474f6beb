import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";

export interface KeyValueInputs {
  q: Tensor;
  k: Tensor;
  v: Tensor;
  d_o: Tensor;
  stats: Tensor;
  readers: Tensor;
}

/**
 * dk and dv [T, KV * D]: the gradients of attention's k and v where token t's key lies in slot t. readers [T, 2]: the tokens
 * [from, to) that see each key, every one of them; stats [T, H, 2] is attention_backward_delta's.
 */
export function attentionBackwardKeyValue(
  gpu: Gpu,
  inputs: KeyValueInputs,
  outputs: { dk: Tensor; dv: Tensor },
  D: number,
  keys = 0,
): void {
  const { tokens, KV_HEADS, ...call } = keyValueCall(inputs, outputs, D, keys);
  const invocations = tokens * KV_HEADS * Math.ceil(D / 32); // 32 columns each
  gpu.run("attention_backward_key_value", { ...inputs }, outputs, { ...call, workgroups: [Math.ceil(invocations / 64)] });
}

/** What a dispatch needs but its workgroups, shapes checked. */
export function keyValueCall(
  { q, k, v, d_o, stats, readers }: KeyValueInputs,
  { dk, dv }: { dk: Tensor; dv: Tensor },
  D: number,
  keys: number,
) {
  const [tokens = 0, width = 0] = q.shape;
  const [, keyWidth = 0] = k.shape;
  const HEADS = width / D;
  if (D % 4 !== 0) throw new Error(`the head size is ${D}, expected a multiple of 4`);
  for (const t of [k, v, dk, dv]) expectShape(t, [tokens, keyWidth]);
  expectShape(d_o, [tokens, width]);
  expectShape(stats, [tokens, HEADS, 2]);
  expectShape(readers, [tokens, 2]);
  const KV_HEADS = keyWidth / D;
  const flops = 4 * keys * width; // the scores, which attention_backward_query computes too, count there
  return { tokens, KV_HEADS, constants: { HEADS, KV_HEADS, D }, params: { tokens }, flops };
}
