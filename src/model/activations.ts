// The memory of one forward (and backward) pass, planned before anything is allocated. Every tensor has a buffer of its own, so
// that no dispatch reads and writes the same one; a pass of fewer tokens uses the front of each.

import type { Gpu } from "../gpu/gpu.ts";
import { bytesOf, type Dtype, type Tensor } from "../gpu/tensor.ts";
import type { ModelConfig } from "./config.ts";
import { PROJECTIONS, type Projection } from "./weight_shapes.ts";

/**
 * What the backward pass finds of every layer, the rest it computes again: everything that costs a product; the same without the
 * feed-forward's two wide ones; or the layers' inputs alone (and z). Gradients are the same bits each way.
 */
export const CHECKPOINTS = ["all", "without-gate-up", "layer-inputs"] as const;
export type Checkpoint = (typeof CHECKPOINTS)[number];

/** What the forward pass leaves of one layer. T tokens, S key slots. */
export interface LayerActivations {
  readonly x: Tensor; // [T, C] the layer's input
  readonly qkv: Tensor; // [T, (H + 2 KV) * D] before the heads' norm and rope
  readonly q: Tensor; // [T, H * D] rotated
  readonly k: Tensor; // [S, KV * D] rotated
  readonly v: Tensor; // [S, KV * D]
  readonly attended: Tensor; // [T, H * D] input of o
  readonly lse: Tensor; // [T, H]
  readonly mid: Tensor; // [T, C] after attention's residual
  readonly gateUp: Tensor; // [T, 2 F]
  readonly z: Readonly<Record<Projection, Tensor>>; // [T, R] x Aᵀ of each projection
}

/** Gradients in flight during a backward pass. */
export interface BackwardScratch {
  readonly dx: Tensor; // [T, C]
  readonly dmid: Tensor; // [T, C]
  readonly dnormed: Tensor; // [T, C]
  readonly dgated: Tensor; // [T, F]
  readonly dgateUp: Tensor; // [T, 2 F]
  readonly dattended: Tensor; // [T, H * D]
  readonly stats: Tensor; // [T, H, 2]
  readonly dq: Tensor; // [T, H * D]
  readonly dk: Tensor; // [T, KV * D]
  readonly dv: Tensor; // [T, KV * D]
  readonly dqkv: Tensor; // [T, (H + 2 KV) * D]
  readonly dz: Tensor; // [T, R]
  readonly zero: Tensor; // [T, C], never written
}

export interface Activations {
  readonly ids: Tensor; // u32 [T]
  readonly positions: Tensor; // u32 [T]
  readonly slots: Tensor; // u32 [T]
  readonly spans: Tensor; // u32 [T, 4]
  readonly readers: Tensor; // u32 [T, 2]
  readonly checkpoint: Checkpoint;
  readonly layers: readonly LayerActivations[];
  readonly last: Tensor; // [T, C] the last layer's output
  readonly lastRstd: Tensor; // [T]
  readonly hidden: Tensor; // [T, C] after the final norm
  readonly normed: Tensor; // [T, C] scratch: input of qkv_proj, then of gate_up_proj
  readonly rstd: Tensor; // [T] scratch, of the norm that made `normed`
  readonly gated: Tensor; // [T, F] scratch: input of down
  readonly backward: BackwardScratch | null;
}

export interface ActivationsOptions {
  /** Most tokens of a pass. */
  readonly tokens: number;
  /** Rows of the key and value tensors: `tokens` when training, the cache's slots when sampling. */
  readonly slots: number;
  /** LoRA's padded rank. */
  readonly R: number;
  /** Keep every layer's activations for a backward pass; otherwise layers share all but keys and values. */
  readonly training: boolean;
  /** What training keeps; everything unless told. */
  readonly checkpoint?: Checkpoint;
}

export type Allocate = (name: string, shape: readonly number[], dtype?: Dtype) => Tensor;

/** A tensor that is not there yet. */
export interface PlannedTensor {
  readonly name: string;
  readonly bytes: number;
}

/** The tensors of a layout; nothing is allocated. */
export function plannedTensors(layOutTensors: (alloc: Allocate) => void): PlannedTensor[] {
  const planned: PlannedTensor[] = [];
  layOutTensors((name, shape, dtype = "f32") => {
    planned.push({ name, bytes: bytesOf(shape, dtype) });
    return { name, shape, dtype, offset: 0, bytes: 0 } as unknown as Tensor; // counted, never used
  });
  return planned;
}

export const bytesIn = (planned: readonly PlannedTensor[]): number => planned.reduce((sum, { bytes }) => sum + bytes, 0);

/** Allocates a pass's memory. */
export function allocateActivations(gpu: Gpu, config: ModelConfig, options: ActivationsOptions): Activations {
  return layOut(config, options, (name, shape, dtype) => gpu.alloc(name, shape, dtype));
}

/** What allocateActivations would allocate. */
export function activationTensors(config: ModelConfig, options: ActivationsOptions): PlannedTensor[] {
  return plannedTensors((alloc) => layOut(config, options, alloc));
}

function layOut(config: ModelConfig, options: ActivationsOptions, alloc: Allocate): Activations {
  const { tokens: T, slots: S, R, training, checkpoint = "all" } = options;
  const { C, F, heads, kvHeads, headSize: D } = config;
  const H = heads * D;
  const KV = kvHeads * D;
  const products = {
    raw: () => ({ qkv: alloc("qkv", [T, H + 2 * KV]) }),
    attention: () => ({
      q: alloc("q", [T, H]),
      attended: alloc("attended", [T, H]),
      lse: alloc("lse", [T, heads]),
      mid: alloc("mid", [T, C]),
    }),
    z: () => ({ z: Object.fromEntries(PROJECTIONS.map((p) => [p, alloc(`z ${p}`, [T, R])])) as Record<Projection, Tensor> }),
    feedForward: () => ({ gateUp: alloc("gate and up", [T, 2 * F]) }),
    keys: () => ({ k: alloc("k", [S, KV]), v: alloc("v", [S, KV]) }),
  };
  const keepAttention = training && checkpoint !== "layer-inputs";
  const raw = layered(keepAttention && config.qkNorm, products.raw); // without a norm, rope's gradient does not need its input
  const attention = layered(keepAttention, products.attention);
  const z = layered(training, products.z); // small, and that of down, which no checkpoint computes again, is read by its gradient
  const feedForward = layered(training && checkpoint === "all", products.feedForward);
  const keys = layered(keepAttention || !training, products.keys); // sampling: the cache
  const inputs = [alloc("x", [T, C]), alloc("x", [T, C])]; // sampling: a layer reads one and writes the other
  const layers = Array.from({ length: config.layers }, (_, i) => ({
    ...raw(),
    ...attention(),
    ...z(),
    ...feedForward(),
    ...keys(),
    x: training && i > 0 ? alloc("x", [T, C]) : inputs[i % 2]!,
  }));
  return {
    ids: alloc("ids", [T], "u32"),
    positions: alloc("positions", [T], "u32"),
    slots: alloc("slots", [T], "u32"),
    spans: alloc("spans", [T, 4], "u32"),
    readers: alloc("readers", [T, 2], "u32"),
    checkpoint,
    layers,
    last: training ? inputs[1]! : inputs[config.layers % 2]!,
    lastRstd: alloc("rstd of the last norm", [T]),
    hidden: alloc("hidden", [T, C]),
    normed: alloc("normed", [T, C]),
    rstd: alloc("rstd", [T]),
    gated: alloc("gated", [T, F]),
    backward: training ? layOutBackward(config, T, R, alloc) : null,
  };
}

/** Tensors for each layer that asks: its own, or the same for all of them. */
function layered<Tensors>(own: boolean, allocate: () => Tensors): () => Tensors {
  if (own) return allocate;
  const shared = allocate();
  return () => shared;
}

function layOutBackward({ C, F, heads, kvHeads, headSize: D }: ModelConfig, T: number, R: number, alloc: Allocate): BackwardScratch {
  return {
    dx: alloc("dx", [T, C]),
    dmid: alloc("dmid", [T, C]),
    dnormed: alloc("dnormed", [T, C]),
    dgated: alloc("dgated", [T, F]),
    dgateUp: alloc("gradient of gate and up", [T, 2 * F]),
    dattended: alloc("dattended", [T, heads * D]),
    stats: alloc("attention stats", [T, heads, 2]),
    dq: alloc("dq", [T, heads * D]),
    dk: alloc("dk", [T, kvHeads * D]),
    dv: alloc("dv", [T, kvHeads * D]),
    dqkv: alloc("dqkv", [T, (heads + 2 * kvHeads) * D]),
    dz: alloc("dz", [T, R]),
    zero: alloc("zero", [T, C]),
  };
}

/** The tensor's first rows. */
export const rowsOf = (t: Tensor, rows: number): Tensor => ({ ...t, shape: [rows, ...t.shape.slice(1)] });

/** The same memory with another shape. */
export const shaped = (t: Tensor, shape: readonly number[]): Tensor => ({ ...t, shape });

export function freeActivations(gpu: Gpu, activations: Activations): void {
  for (const tensor of new Set(tensorsIn(activations))) gpu.free(tensor);
}

function tensorsIn(value: unknown): Tensor[] {
  if (Array.isArray(value)) return value.flatMap(tensorsIn);
  if (typeof value !== "object" || value === null) return [];
  return "buffer" in value ? [value as Tensor] : Object.values(value).flatMap(tensorsIn);
}
