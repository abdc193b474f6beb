import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";

interface Inputs {
  q: Tensor;
  k: Tensor;
  v: Tensor;
  spans: Tensor;
}

/**
 * o [T, H * D] = attention of q [T, H * D] over k and v [S, KV * D], and lse [T, H]. Token t sees the slots
 * [spans[t].x, spans[t].y) and [spans[t].z, spans[t].w): at least one. D must be a multiple of 4.
 * `keys`, how many slots all tokens see together, counts the work.
 */
export function attention(gpu: Gpu, { q, k, v, spans }: Inputs, { o, lse }: { o: Tensor; lse: Tensor }, D: number, keys = 0): void {
  const [T = 0, width = 0] = q.shape;
  const [S = 0, keyWidth = 0] = k.shape;
  const HEADS = width / D;
  if (D % 4 !== 0) throw new Error(`the head size is ${D}, expected a multiple of 4`);
  expectShape(v, [S, keyWidth]);
  expectShape(spans, [T, 4]);
  expectShape(o, [T, width]);
  expectShape(lse, [T, HEADS]);
  const KV_HEADS = keyWidth / D;
  const { LANES, workgroups } = lanesOfTokens(gpu, T, { HEADS, KV_HEADS, D });
  const dispatch = { constants: { HEADS, KV_HEADS, D, LANES }, params: { tokens: T }, workgroups, flops: 4 * keys * width };
  gpu.run("attention", { q, k, v, spans }, { o, lse }, dispatch);
}

/**
 * Workgroups of kernels whose invocations take two heads of a group and 32 columns of each. On a processor a core takes a workgroup: small
 * ones, so that the few tokens of decoding go to all cores.
 */
export function lanesOfTokens(
  { software }: Gpu,
  T: number,
  { HEADS, KV_HEADS, D }: { HEADS: number; KV_HEADS: number; D: number },
): { LANES: number; workgroups: readonly [number] } {
  const invocations = T * KV_HEADS * Math.ceil(HEADS / KV_HEADS / 2) * Math.ceil(D / 32);
  const LANES = software ? 8 : 64;
  return { LANES, workgroups: [Math.ceil(invocations / LANES)] };
}
