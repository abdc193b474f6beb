// The model's frozen matrices as they lie on the GPU, and the products with them.

import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { type ProductShape, tileSize } from "../gpu/tiles.ts";
import { embedding, SHARDS } from "../kernels/embedding.ts";
import { type LinearInputs, type LinearOptions, linear } from "../kernels/linear.ts";
import { type LinearGradients, linearBackward } from "../kernels/linear_backward.ts";
import { linearBackwardQuads } from "../kernels/linear_backward_quads.ts";
import { linearBackwardTiled } from "../kernels/linear_backward_tiled.ts";
import { linearQuads } from "../kernels/linear_quads.ts";
import { linearSplit } from "../kernels/linear_split.ts";
import { linearTiled } from "../kernels/linear_tiled.ts";

/** A frozen matrix [N, K], or some of its rows. int8 and int4 (K a multiple of 32) have scales [N, K / 32]. */
export interface Weight {
  readonly data: Tensor;
  readonly scales: Tensor | null;
}

/** A matrix by its rows, in their order: one shard, unless it would exceed what a binding may hold. */
export type Matrix = readonly Weight[];

/** What a storage binding holds on every adapter: WebGPU's default limit. */
export const MAX_BINDING_BYTES = 2 ** 27;

type Product = Pick<LinearOptions, "scale" | "accumulate">;

/** Rows of the matrix. */
export const rowsIn = (matrix: Matrix): number => matrix.reduce((sum, { data }) => sum + data.shape[0]!, 0);

/** y [rows, N] = x [rows, K] matrixᵀ + bias [N] + residual [rows, N]. */
export function multiply(
  gpu: Gpu,
  { x, matrix, bias = null, residual = null }: { x: Tensor; matrix: Matrix; bias?: Tensor | null; residual?: Tensor | null },
  { y }: { y: Tensor },
  options: Product = {},
): void {
  const rows = rowsIn(matrix);
  let first = 0;
  for (const { data, scales } of matrix) {
    linearInTiles(gpu, { x, weight: data, scales, bias, residual }, y, { ...options, shard: { first, rows } });
    first += data.shape[0]!;
  }
}

/** What decoding on a graphics card puts into a product. */
interface FewRows {
  readonly x: Tensor;
  readonly matrix: Matrix;
  readonly bias?: Tensor | null;
  readonly residual?: Tensor | null;
  /** x goes through rms_norm with these weights first. */
  readonly norm?: { readonly weight: Tensor; readonly eps: number } | null;
}

/** multiply for the few rows of decoding on a graphics card: sums in an order of their own, whatever the number of rows. */
export function multiplyFewRows(gpu: Gpu, { x, matrix, bias = null, residual = null, norm = null }: FewRows, { y }: { y: Tensor }): void {
  const rows = rowsIn(matrix);
  let first = 0;
  for (const { data, scales } of matrix) {
    linearSplit(gpu, { x, weight: data, scales, bias, residual }, { y }, { norm, shard: { first, rows } });
    first += data.shape[0]!;
  }
}

/** dx [rows, K] = dy [rows, N] matrix, added up shard by shard in their order. */
export function multiplyBackward(
  gpu: Gpu,
  { dy, matrix }: { dy: Tensor; matrix: Matrix },
  { dx }: { dx: Tensor },
  { scale = 1, accumulate = false }: Product = {},
): void {
  const rows = rowsIn(matrix);
  let first = 0;
  for (const { data, scales } of matrix) {
    const shard = { first, rows };
    linearBackwardInTiles(gpu, { dy, weight: data, scales }, dx, { scale, accumulate: accumulate || first > 0, shard });
    first += data.shape[0]!;
  }
}

/** linear in the tile that the GPU has chosen for such shapes, or in `tile`. */
export function linearInTiles(
  gpu: Gpu,
  inputs: LinearInputs,
  y: Tensor,
  options: LinearOptions,
  tile = gpu.tileOf(forwardShape(inputs)),
): void {
  const { rows, columns, shared } = tileSize(tile);
  if (shared === "workgroup") linearTiled(gpu, inputs, { y }, { ...options, tileRows: rows, tileColumns: columns });
  else if (shared === "quad") linearQuads(gpu, inputs, { y }, { ...options, tall: rows === 16 });
  else linear(gpu, inputs, { y }, { ...options, tall: rows === 8, wide: columns === 8 });
}

/** linear_backward in the tile that the GPU has chosen for such shapes, or in `tile`. */
export function linearBackwardInTiles(
  gpu: Gpu,
  gradients: LinearGradients,
  dx: Tensor,
  options: LinearOptions,
  tile = gpu.tileOf(backwardShape(gradients)),
): void {
  const { rows, columns, shared } = tileSize(tile);
  if (shared === "workgroup") linearBackwardTiled(gpu, gradients, { dx }, { ...options, tileRows: rows, tileColumns: columns });
  else if (shared === "quad") linearBackwardQuads(gpu, gradients, { dx }, { ...options, tall: rows === 16 });
  else linearBackward(gpu, gradients, { dx }, { ...options, tall: rows === 8, wide: columns === 8 });
}

const forwardShape = ({ x, weight }: LinearInputs): ProductShape => ({
  product: "linear",
  rows: x.shape[0]!,
  columns: weight.shape[0]!,
  inner: weight.shape[1]!,
});

const backwardShape = ({ dy, weight }: LinearGradients): ProductShape => ({
  product: "linear_backward",
  rows: dy.shape[0]!,
  columns: weight.shape[1]!,
  inner: weight.shape[0]!,
});

/** y [T, K] = the matrix's rows `ids` [T]. */
export function gather(gpu: Gpu, { matrix, ids }: { matrix: Matrix; ids: Tensor }, { y }: { y: Tensor }): void {
  const shards = matrix.map(({ data, scales }) => ({ table: data, scales }));
  let first = 0;
  for (let i = 0; i < shards.length; i += SHARDS) {
    const [one, ...more] = shards.slice(i, i + SHARDS);
    embedding(gpu, { ...one!, ids, more }, { y }, first);
    first += rowsIn(matrix.slice(i, i + SHARDS));
  }
}
