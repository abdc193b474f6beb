import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";
import type { Heads } from "./rope.ts";

interface Gradients {
  dq: Tensor;
  dk: Tensor;
  dv: Tensor;
  /** What rope read, and the norms' weights: both or neither. */
  qkv: Tensor | null;
  norms: Tensor | null;
  positions: Tensor;
  rotary: Tensor;
}

/** dqkv [T, (H + 2 KV) * D]: the gradient of rope's input from dq [T, H * D], dk and dv [T, KV * D], row by row. */
export function ropeBackward(
  gpu: Gpu,
  { dq, dk, dv, qkv, norms, positions, rotary }: Gradients,
  { dqkv }: { dqkv: Tensor },
  { heads, kvHeads, headSize: D, normEps }: Heads,
): void {
  const [T = 0] = dq.shape;
  expectShape(dq, [T, heads * D]);
  expectShape(dk, [T, kvHeads * D]);
  expectShape(dv, [T, kvHeads * D]);
  expectShape(dqkv, [T, (heads + 2 * kvHeads) * D]);
  if (qkv) expectShape(qkv, dqkv.shape);
  if (norms) expectShape(norms, [2, D]);
  if (!qkv !== !norms) throw new Error("rope_backward takes qkv and norms, or neither");
  expectShape(positions, [T]);
  const constants = { HEADS: heads, KV_HEADS: kvHeads, D, ...(norms && { NORM: 1, EPS: normEps }) };
  const inputs = { dq, dk, dv, qkv: qkv ?? rotary, norms: norms ?? rotary, positions, rotary };
  const workgroups = [Math.ceil((T * (heads + 2 * kvHeads)) / 32)] as const;
  gpu.run("rope_backward", inputs, { dqkv }, { constants, params: { tokens: T }, workgroups });
}
