// The output head and its loss, without ever building [T, V]: only rows that predict a completion token, chunk by chunk.

import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { gatherRows } from "../kernels/gather_rows.ts";
import { gatherRowsBackward } from "../kernels/gather_rows_backward.ts";
import { logSoftmax } from "../kernels/log_softmax.ts";
import { logSoftmaxBackward } from "../kernels/log_softmax_backward.ts";
import { rowStatistics } from "../kernels/row_statistics.ts";
import { type Allocate, type PlannedTensor, plannedTensors, rowsOf } from "./activations.ts";
import type { ModelConfig } from "./config.ts";
import { multiply, multiplyBackward } from "./matrix.ts";
import type { Model } from "./model.ts";
import type { TrainingPack } from "./pack.ts";

const CHUNK_LOGITS = 10 << 20; // 40 MiB of f32: 69 rows of Qwen2.5's vocabulary, so that its table is not read too often

/** Memory of the head for up to `rows` predicting rows and `tokens` tokens. */
export interface HeadBuffers {
  readonly chunkRows: number;
  readonly logits: Tensor; // [chunk, V]
  readonly chunkHidden: Tensor; // [chunk, C]
  readonly chunkGradient: Tensor; // [chunk, C]
  readonly chunkIndices: Tensor; // u32 [chunk]
  readonly chunkTargets: Tensor; // u32 [chunk]
  readonly chunkLogps: Tensor; // [chunk]
  readonly chunkStatistics: Tensor; // [chunk, 4]
  readonly lse: Tensor; // [chunk]
  readonly results: Tensor; // [5 rows]: M log-probabilities, then M statistics of four: one tensor, read back at once
  readonly drows: Tensor; // [rows, C] gradient of each row's log-probability, at unit scale
  readonly weights: Tensor; // [rows] dloss / dlogp
  readonly order: Tensor; // u32 [rows]
  readonly starts: Tensor; // u32 [tokens + 1]
  readonly dhidden: Tensor; // [tokens, C]
}

export interface HeadSizes {
  readonly tokens: number;
  readonly rows: number;
}

export function allocateHead(gpu: Gpu, { config }: Model, sizes: HeadSizes): HeadBuffers {
  return layOut(config, sizes, (name, shape, dtype) => gpu.alloc(name, shape, dtype));
}

/** What allocateHead would allocate. */
export const headTensors = (config: ModelConfig, sizes: HeadSizes): PlannedTensor[] =>
  plannedTensors((alloc) => layOut(config, sizes, alloc));

function layOut({ C, vocabulary: V }: ModelConfig, { tokens, rows }: HeadSizes, alloc: Allocate): HeadBuffers {
  const chunkRows = Math.min(rows, Math.max(1, Math.floor(CHUNK_LOGITS / V)));
  return {
    chunkRows,
    logits: alloc("logits", [chunkRows, V]),
    chunkHidden: alloc("chunk hidden", [chunkRows, C]),
    chunkGradient: alloc("chunk gradient", [chunkRows, C]),
    chunkIndices: alloc("chunk indices", [chunkRows], "u32"),
    chunkTargets: alloc("chunk targets", [chunkRows], "u32"),
    chunkLogps: alloc("chunk logps", [chunkRows]),
    chunkStatistics: alloc("chunk statistics", [chunkRows, 4]),
    lse: alloc("lse", [chunkRows]),
    results: alloc("logps and statistics", [5 * rows]),
    drows: alloc("drows", [rows, C]),
    weights: alloc("weights", [rows]),
    order: alloc("order", [rows], "u32"),
    starts: alloc("starts", [tokens + 1], "u32"),
    dhidden: alloc("dhidden", [tokens, C]),
  };
}

export function freeHead(gpu: Gpu, { chunkRows: _, ...tensors }: HeadBuffers): void {
  for (const tensor of Object.values(tensors)) gpu.free(tensor);
}

/** What the head tells of a pack's M rows. */
export interface HeadRows {
  /** [M] of the targets. */
  readonly logps: Float32Array;
  /** [M, 4] as rowStatistics gives them; empty without gradients. */
  readonly statistics: Float32Array;
}

/**
 * Log-probabilities of the pack's targets from `hidden` [T, C], read back. With `gradients`, the gradient of each with respect
 * to its hidden row is kept for headBackward, and the rows' statistics are read back too.
 */
export async function headLogps(
  gpu: Gpu,
  model: Model,
  head: HeadBuffers,
  hidden: Tensor,
  pack: TrainingPack,
  gradients: boolean,
): Promise<HeadRows> {
  const M = pack.rows.length;
  recordHead(gpu, model, head, hidden, pack, gradients);
  const words = gradients ? 5 * M : M;
  const results = await gpu.read({ ...head.results, shape: [words], bytes: 4 * words });
  return { logps: results.subarray(0, M), statistics: results.subarray(M) };
}

/** The dispatches of headLogps: what is read back is left in `results`. */
export function recordHead(gpu: Gpu, model: Model, head: HeadBuffers, hidden: Tensor, pack: TrainingPack, gradients: boolean): void {
  const { C } = model.config;
  const M = pack.rows.length;
  for (let from = 0; from < M; from += head.chunkRows) {
    const count = Math.min(head.chunkRows, M - from);
    const view = (t: Tensor) => rowsOf(t, count);
    gpu.write(head.chunkIndices, pack.rows.subarray(from, from + count));
    gpu.write(head.chunkTargets, pack.targets.subarray(from, from + count));
    const targets = view(head.chunkTargets);
    const logits = view(head.logits);
    gatherRows(gpu, { x: hidden, rows: view(head.chunkIndices) }, { y: view(head.chunkHidden) });
    multiply(gpu, { x: view(head.chunkHidden), matrix: model.head }, { y: logits });
    logSoftmax(gpu, { logits, targets }, { logp: view(head.chunkLogps), lse: view(head.lse) });
    gpu.copy(head.chunkLogps, { ...head.results, offset: 4 * from }, 4 * count);
    if (!gradients) continue;
    rowStatistics(gpu, { logits, lse: view(head.lse), targets }, { statistics: view(head.chunkStatistics) }); // before logits become gradients
    gpu.copy(head.chunkStatistics, { ...head.results, offset: 4 * (M + 4 * from) }, 16 * count);
    logSoftmaxBackward(gpu, { lse: view(head.lse), targets }, { logits });
    multiplyBackward(gpu, { dy: logits, matrix: model.head }, { dx: view(head.chunkGradient) });
    gpu.copy(head.chunkGradient, { ...head.drows, offset: 4 * C * from }, 4 * C * count);
  }
}

/** The gradient of hidden [T, C] from dloss/dlogp of each row, after headLogps with gradients on the same pack. */
export function headBackward(gpu: Gpu, head: HeadBuffers, pack: TrainingPack, dlogps: Float32Array): Tensor {
  const M = pack.rows.length;
  const T = pack.ids.length;
  gpu.write(head.weights, dlogps);
  gpu.write(head.order, pack.order);
  gpu.write(head.starts, pack.starts);
  const dhidden = rowsOf(head.dhidden, T);
  gatherRowsBackward(
    gpu,
    { dy: rowsOf(head.drows, M), weight: rowsOf(head.weights, M), order: rowsOf(head.order, M), starts: rowsOf(head.starts, T + 1) },
    { dx: dhidden },
  );
  return dhidden;
}
