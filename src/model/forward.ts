// The forward pass: a flat list of kernel calls, mirrored by backward.ts. One file for every family; what differs is in the config.

import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { add } from "../kernels/add.ts";
import { attention } from "../kernels/attention.ts";
import { linear } from "../kernels/linear.ts";
import { rmsNorm } from "../kernels/rms_norm.ts";
import { rope } from "../kernels/rope.ts";
import { scatterRows } from "../kernels/scatter_rows.ts";
import { swiglu } from "../kernels/swiglu.ts";
import { type Activations, rowsOf, shaped } from "./activations.ts";
import type { Adapter } from "./lora.ts";
import { gather, multiply } from "./matrix.ts";
import type { Model } from "./model.ts";
import type { Pack, PassSize } from "./pack.ts";
import type { Projection } from "./weight_shapes.ts";

/** Uploads what a pass reads. The pack's T may be anything up to the activations' tokens. */
export function uploadPack(gpu: Gpu, activations: Activations, pack: Pack): void {
  gpu.write(activations.ids, pack.ids);
  gpu.write(activations.positions, pack.positions);
  gpu.write(activations.slots, pack.slots);
  gpu.write(activations.spans, pack.spans);
}

/** What the steps of a pass share. */
export interface Pass {
  readonly gpu: Gpu;
  readonly model: Model;
  /** null: the base model, which is also the reference of DPO. */
  readonly adapter: Adapter | null;
  readonly activations: Activations;
  readonly size: PassSize;
}

/** Runs uploaded tokens through the model: keys and values go to the tokens' slots, the final norm's output to `activations.hidden` [T, C]. */
export function forward(gpu: Gpu, model: Model, adapter: Adapter | null, activations: Activations, size: PassSize): void {
  const pass = { gpu, model, adapter, activations, size };
  const view = (t: Tensor) => rowsOf(t, size.tokens);
  const { last, layers } = activations;
  gather(gpu, { matrix: model.embedding, ids: view(activations.ids) }, { y: view(layers[0]!.x) });
  layers.forEach(({ mid }, i) => {
    attentionHalf(pass, i);
    feedForwardHalf(pass, i);
    const out = view(activations.out);
    project(pass, i, "down_proj", view(activations.gated), out);
    add(gpu, { a: view(mid), b: out }, { y: view(layers[i + 1]?.x ?? last) });
  });
  rmsNorm(
    gpu,
    { x: view(last), weight: model.norm },
    { y: view(activations.hidden), rstd: view(activations.lastRstd) },
    model.config.normEps,
  );
}

/** Layer i from its input `x` to `mid`, behind attention's residual. */
export function attentionHalf(pass: Pass, i: number): void {
  const { gpu, model, activations, size } = pass;
  const { config } = model;
  const view = (t: Tensor) => rowsOf(t, size.tokens);
  const weights = model.layers[i]!;
  const a = activations.layers[i]!;
  const [x, normed, out] = [view(a.x), view(activations.normed), view(activations.out)];
  rmsNorm(gpu, { x, weight: weights.inputNorm }, { y: normed, rstd: view(activations.rstd) }, config.normEps);
  project(pass, i, "q_proj", normed, view(a.qRaw));
  project(pass, i, "k_proj", normed, view(a.kRaw));
  project(pass, i, "v_proj", normed, view(activations.v));
  const queries = { raw: view(a.qRaw), norm: weights.qNorm, rstd: a.rstdQ, heads: config.heads };
  rotate(gpu, model, activations, queries, { y: view(a.q), toSlots: false });
  const keys = { raw: view(a.kRaw), norm: weights.kNorm, rstd: a.rstdK, heads: config.kvHeads };
  rotate(gpu, model, activations, keys, { y: a.k, toSlots: true });
  scatterRows(gpu, { x: view(activations.v), slots: view(activations.slots) }, { y: a.v });
  const attended = view(a.attended);
  attention(
    gpu,
    { q: view(a.q), k: a.k, v: a.v, spans: view(activations.spans) },
    { o: attended, lse: view(a.lse) },
    config.headSize,
    size.keys,
  );
  project(pass, i, "o_proj", attended, out);
  add(gpu, { a: x, b: out }, { y: view(a.mid) });
}

/** Layer i from `mid` to `activations.gated`, the input of its last projection. */
export function feedForwardHalf(pass: Pass, i: number): void {
  const { gpu, activations, size } = pass;
  const view = (t: Tensor) => rowsOf(t, size.tokens);
  const { gate, up } = activations.layers[i]!;
  normMid(pass, i);
  project(pass, i, "gate_proj", view(activations.normed), view(gate));
  project(pass, i, "up_proj", view(activations.normed), view(up));
  swiglu(gpu, { gate: view(gate), up: view(up) }, { y: view(activations.gated) });
}

/** The norm of layer i's `mid`, to `activations.normed`. */
export function normMid({ gpu, model, activations, size }: Pass, i: number): void {
  const view = (t: Tensor) => rowsOf(t, size.tokens);
  const inputs = { x: view(activations.layers[i]!.mid), weight: model.layers[i]!.postAttentionNorm };
  rmsNorm(gpu, inputs, { y: view(activations.normed), rstd: view(activations.rstd) }, model.config.normEps);
}

/** y = x Wᵀ + bias of layer i's projection, and with LoRA z = x Aᵀ, y += scale * z Bᵀ. */
function project({ gpu, model, adapter, activations, size }: Pass, i: number, name: Projection, x: Tensor, y: Tensor): void {
  const { matrix, bias } = model.layers[i]![name];
  multiply(gpu, { x, matrix, bias }, { y });
  if (!adapter) return;
  const lora = adapter.layers[i]![name];
  if (!lora) return;
  const z = rowsOf(activations.layers[i]!.z[name], size.tokens);
  linear(gpu, { x, weight: lora.A }, { y: z });
  linear(gpu, { x: z, weight: lora.B }, { y }, { scale: adapter.scale, accumulate: true });
}

interface Heads {
  readonly raw: Tensor; // [T, heads * D]
  readonly norm: Tensor | null; // Qwen3's q_norm or k_norm
  readonly rstd: Tensor;
  readonly heads: number;
}

/** Qwen3's norm over each head, then rope; to the tokens' slots, or row by row. */
function rotate(
  gpu: Gpu,
  { config, rotary }: Model,
  activations: Activations,
  { raw, norm, rstd, heads }: Heads,
  { y, toSlots }: { y: Tensor; toSlots: boolean },
): void {
  const [T = 0, width = 0] = raw.shape;
  const D = config.headSize;
  let x = raw;
  if (norm) {
    x = shaped(activations.normedHeads, [T, width]);
    rmsNorm(
      gpu,
      { x: shaped(raw, [T * heads, D]), weight: norm },
      { y: shaped(x, [T * heads, D]), rstd: shaped(rstd, [T * heads]) },
      config.normEps,
    );
  }
  const positions = rowsOf(activations.positions, T);
  const slots = rowsOf(toSlots ? activations.slots : activations.rows, T);
  rope(gpu, { x, positions, slots, rotary }, { y });
}
