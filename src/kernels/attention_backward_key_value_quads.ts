import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { type KeyValueInputs, keyValueCall } from "./attention_backward_key_value.ts";

/** What attention_backward_key_value gives, to the bit; the lanes of a quad share what they load of q and d_o. The GPU must have subgroups. */
export function attentionBackwardKeyValueQuads(
  gpu: Gpu,
  inputs: KeyValueInputs,
  outputs: { dk: Tensor; dv: Tensor },
  D: number,
  keys = 0,
): void {
  const { tokens, KV_HEADS, ...call } = keyValueCall(inputs, outputs, D, keys);
  const workgroups = [Math.ceil(tokens / 8), KV_HEADS * Math.ceil(D / 32)] as const; // 8 keys, 32 columns
  gpu.run("attention_backward_key_value_quads", { ...inputs }, outputs, { ...call, workgroups });
}
