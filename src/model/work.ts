// How many operations passes are, counted from the very dispatches that they would record. They add up over tokens, keys and rows,
// however these are packed: so the work of an answer or a pair is its own, whatever ran beside it.

import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { type Activations, rowsOf } from "./activations.ts";
import { forward } from "./forward.ts";
import type { Adapter } from "./lora.ts";
import { multiply } from "./matrix.ts";
import type { Model } from "./model.ts";

/** Operations of a forward pass. */
export interface ForwardWork {
  readonly perToken: number;
  /** For each key that a token sees. */
  readonly perKey: number;
  /** For each row that goes through the head. */
  readonly perRow: number;
}

/**
 * @param activations any that passes of this adapter run in
 * @param logits [rows, V]
 */
export function forwardWork(gpu: Gpu, model: Model, adapter: Adapter | null, activations: Activations, logits: Tensor): ForwardWork {
  const pass = (keys: number) => gpu.count(() => forward(gpu, model, adapter, activations, { tokens: 1, keys }));
  const x = rowsOf(activations.hidden, 1);
  return {
    perToken: pass(0),
    perKey: pass(1) - pass(0),
    perRow: gpu.count(() => multiply(gpu, { x, matrix: model.head }, { y: rowsOf(logits, 1) })),
  };
}

/** Of a prompt's prefill: all but its last token, which each of its answers reads anew. */
export function prefillWork({ perToken, perKey }: ForwardWork, promptTokens: number): number {
  const tokens = promptTokens - 1;
  return perToken * tokens + perKey * ((tokens * (tokens + 1)) / 2);
}

/** Of `drawn` tokens drawn after a prompt. */
export function drawWork({ perToken, perKey, perRow }: ForwardWork, promptTokens: number, drawn: number): number {
  const keys = drawn * promptTokens + (drawn * (drawn - 1)) / 2;
  return (perToken + perRow) * drawn + perKey * keys;
}
