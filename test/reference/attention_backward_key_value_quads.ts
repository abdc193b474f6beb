/** The same gradients as attention_backward_key_value: only who loads what differs. */
export { attentionBackwardKeyValue as attentionBackwardKeyValueQuads } from "./attention_backward_key_value.ts";
