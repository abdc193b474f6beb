import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";

export interface Heads {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  /** Of the norm, where there is one. */
  readonly normEps: number;
}

interface Inputs {
  qkv: Tensor;
  norms: Tensor | null;
  positions: Tensor;
  slots: Tensor;
  rotary: Tensor;
}

/**
 * q [T, H * D] and rows slots[t] of k and v [S, KV * D] from rows t of qkv [T, (H + 2 KV) * D]: q and k turned by their positions, each
 * head first normed by norms [2, D] (for q, for k) where there are any; rotary [P, D] is rotaryTable's. D must be a multiple of 4.
 */
export function rope(
  gpu: Gpu,
  { qkv, norms, positions, slots, rotary }: Inputs,
  { q, k, v }: { q: Tensor; k: Tensor; v: Tensor },
  { heads, kvHeads, headSize: D, normEps }: Heads,
): void {
  const [T = 0] = qkv.shape;
  const [S = 0] = k.shape;
  if (D % 4 !== 0) throw new Error(`the head size is ${D}, expected a multiple of 4`);
  expectShape(qkv, [T, (heads + 2 * kvHeads) * D]);
  if (norms) expectShape(norms, [2, D]);
  expectShape(positions, [T]);
  expectShape(slots, [T]);
  expectShape(rotary, [rotary.shape[0] ?? 0, D]);
  expectShape(q, [T, heads * D]);
  expectShape(k, [S, kvHeads * D]);
  expectShape(v, [S, kvHeads * D]);
  const constants = { HEADS: heads, KV_HEADS: kvHeads, D, ...(norms && { NORM: 1, EPS: normEps }) };
  const workgroups = [Math.ceil(((heads + 2 * kvHeads) * D) / 128), T] as const;
  gpu.run("rope", { qkv, norms: norms ?? rotary, positions, slots, rotary }, { q, k, v }, { constants, workgroups });
}
