// The forward pass: a flat list of kernel calls, mirrored by backward.ts. One file for every family; what differs is in the config.

import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { attention } from "../kernels/attention.ts";
import { rmsNorm } from "../kernels/rms_norm.ts";
import { rope } from "../kernels/rope.ts";
import { swiglu } from "../kernels/swiglu.ts";
import { type Activations, rowsOf } from "./activations.ts";
import type { Adapter } from "./lora.ts";
import { gather, linearInTiles, multiply, rowsIn } from "./matrix.ts";
import type { Model } from "./model.ts";
import type { Pack, PassSize } from "./pack.ts";
import { type LayerMatrix, matrixParts } from "./weight_shapes.ts";

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
    project(pass, i, "down_proj", { x: view(activations.gated), residual: view(mid) }, view(layers[i + 1]?.x ?? last));
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
  const [x, normed, qkv, attended] = [view(a.x), view(activations.normed), view(a.qkv), view(a.attended)];
  rmsNorm(gpu, { x, weight: weights.inputNorm }, { y: normed, rstd: view(activations.rstd) }, config.normEps);
  project(pass, i, "qkv_proj", { x: normed }, qkv);
  const { positions, slots } = activations;
  const tokens = { qkv, norms: weights.headNorms, positions: view(positions), slots: view(slots), rotary: model.rotary };
  rope(gpu, tokens, { q: view(a.q), k: a.k, v: a.v }, config);
  attention(
    gpu,
    { q: view(a.q), k: a.k, v: a.v, spans: view(activations.spans) },
    { o: attended, lse: view(a.lse) },
    config.headSize,
    size.keys,
  );
  project(pass, i, "o_proj", { x: attended, residual: x }, view(a.mid));
}

/** Layer i from `mid` to `activations.gated`, the input of its last projection. */
export function feedForwardHalf(pass: Pass, i: number): void {
  const { gpu, activations, size } = pass;
  const view = (t: Tensor) => rowsOf(t, size.tokens);
  const gate_up = view(activations.layers[i]!.gateUp);
  normMid(pass, i);
  project(pass, i, "gate_up_proj", { x: view(activations.normed) }, gate_up);
  swiglu(gpu, { gate_up }, { y: view(activations.gated) });
}

/** The norm of layer i's `mid`, to `activations.normed`. */
export function normMid({ gpu, model, activations, size }: Pass, i: number): void {
  const view = (t: Tensor) => rowsOf(t, size.tokens);
  const inputs = { x: view(activations.layers[i]!.mid), weight: model.layers[i]!.postAttentionNorm };
  rmsNorm(gpu, inputs, { y: view(activations.normed), rstd: view(activations.rstd) }, model.config.normEps);
}

/** y = x Wᵀ + bias + residual of one of layer i's matrices, with LoRA. */
function project(
  pass: Pass,
  i: number,
  name: LayerMatrix,
  { x, residual = null }: { x: Tensor; residual?: Tensor | null },
  y: Tensor,
): void {
  const { matrix, bias } = pass.model.layers[i]![name];
  multiply(pass.gpu, { x, matrix, bias, residual }, { y });
  addLora(pass, i, name, x, y);
}

/** With LoRA z = x Aᵀ and y += scale * z Bᵀ, in the columns of each projection of one of layer i's matrices. */
export function addLora({ gpu, model, adapter, activations, size }: Pass, i: number, name: LayerMatrix, x: Tensor, y: Tensor): void {
  if (!adapter) return;
  for (const { projection, first } of matrixParts(model.config, name)) {
    const lora = adapter.layers[i]![projection];
    if (!lora) continue;
    const z = rowsOf(activations.layers[i]!.z[projection], size.tokens);
    const shard = { first, rows: rowsIn(model.layers[i]![name].matrix) };
    linearInTiles(gpu, { x, weight: lora.A }, z, {});
    linearInTiles(gpu, { x: z, weight: lora.B }, y, { scale: adapter.scale, accumulate: true, shard });
  }
}
