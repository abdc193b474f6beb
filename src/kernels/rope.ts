import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";

export interface Heads {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  /** Of the norm, where there is one. */
  readonly normEps: number;
}

/** Heads to be turned; norms null: they are not normed. */
export interface HeadInputs {
  qkv: Tensor;
  norms: Tensor | null;
  positions: Tensor;
  rotary: Tensor;
}

/**
 * q [T, H * D] and rows slots[t] of k and v [S, KV * D] from rows t of qkv [T, (H + 2 KV) * D]: q and k turned by their positions, each
 * head first normed by norms [2, D] (for q, for k) where there are any; rotary [P, D] is rotaryTable's. D must be a multiple of 4.
 */
export function rope(
  gpu: Gpu,
  { slots, ...tokens }: HeadInputs & { slots: Tensor },
  { q, k, v }: { q: Tensor; k: Tensor; v: Tensor },
  shape: Heads,
): void {
  const { heads, kvHeads, headSize: D } = shape;
  const { qkv, norms, positions, rotary } = tokens;
  const { T, constants } = headsCall(tokens, { k, v }, shape);
  expectShape(slots, [T]);
  expectShape(q, [T, heads * D]);
  const workgroups = [Math.ceil(((heads + 2 * kvHeads) * D) / 128), T] as const;
  gpu.run("rope", { qkv, norms: norms ?? rotary, positions, slots, rotary }, { q, k, v }, { constants, workgroups });
}

/** The constants of a kernel that turns heads and writes them to the cache, shapes checked. */
export function headsCall(
  { qkv, norms, positions, rotary }: HeadInputs,
  { k, v }: { k: Tensor; v: Tensor },
  { heads, kvHeads, headSize: D, normEps }: Heads,
) {
  const [T = 0] = qkv.shape;
  const [S = 0] = k.shape;
  if (D % 4 !== 0) throw new Error(`the head size is ${D}, expected a multiple of 4`);
  expectShape(qkv, [T, (heads + 2 * kvHeads) * D]);
  if (norms) expectShape(norms, [2, D]);
  expectShape(positions, [T]);
  expectShape(rotary, [rotary.shape[0] ?? 0, D]);
  expectShape(k, [S, kvHeads * D]);
  expectShape(v, [S, kvHeads * D]);
  const constants = { HEADS: heads, KV_HEADS: kvHeads, D, ...(norms && { NORM: 1, EPS: normEps }) };
  return { T, constants };
}
