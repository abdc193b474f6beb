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
import { type Activations, type LayerActivations, rowsOf, shaped } from "./activations.ts";
import type { Adapter, LoraPair } from "./lora.ts";
import { gather, multiply } from "./matrix.ts";
import type { Linear, Model } from "./model.ts";
import type { Pack } from "./pack.ts";

/** Uploads what a pass reads. The pack's T may be anything up to the activations' tokens. */
export function uploadPack(gpu: Gpu, activations: Activations, pack: Pack): void {
  gpu.write(activations.ids, pack.ids);
  gpu.write(activations.positions, pack.positions);
  gpu.write(activations.slots, pack.slots);
  gpu.write(activations.spans, pack.spans);
}

/**
 * Runs T uploaded tokens through the model: keys and values go to the tokens' slots, the final norm's output to
 * `activations.hidden` [T, C]. `adapter` null: the base model, which is also the reference of DPO.
 */
export function forward(gpu: Gpu, model: Model, adapter: Adapter | null, activations: Activations, T: number): void {
  const { config } = model;
  const { normEps: eps } = config;
  const view = (t: Tensor) => rowsOf(t, T);
  const ids = view(activations.ids);
  const out = view(activations.out);

  gather(gpu, { matrix: model.embedding, ids }, { y: view(activations.layers[0]!.x) });
  model.layers.forEach((weights, i) => {
    const a = activations.layers[i]!;
    const lora = adapter?.layers[i] ?? {};
    const next = view(activations.layers[i + 1]?.x ?? activations.last);
    const project = (name: keyof LayerActivations["z"], x: Tensor, y: Tensor) =>
      projection(gpu, weights[name], lora[name], adapter?.scale ?? 0, { x, z: view(a.z[name]), y });

    const x = view(a.x);
    const normed1 = view(a.normed1);
    rmsNorm(gpu, { x, weight: weights.inputNorm }, { y: normed1, rstd: view(a.rstd1) }, eps);
    project("q_proj", normed1, view(a.qRaw));
    project("k_proj", normed1, view(a.kRaw));
    project("v_proj", normed1, view(activations.v));
    rotate(
      gpu,
      model,
      activations,
      { raw: view(a.qRaw), norm: weights.qNorm, rstd: a.rstdQ, heads: config.heads },
      { y: view(a.q), toSlots: false },
    );
    rotate(
      gpu,
      model,
      activations,
      { raw: view(a.kRaw), norm: weights.kNorm, rstd: a.rstdK, heads: config.kvHeads },
      { y: a.k, toSlots: true },
    );
    scatterRows(gpu, { x: view(activations.v), slots: view(activations.slots) }, { y: a.v });
    const attended = view(a.attended);
    attention(gpu, { q: view(a.q), k: a.k, v: a.v, spans: view(activations.spans) }, { o: attended, lse: view(a.lse) }, config.headSize);
    project("o_proj", attended, out);
    const mid = view(a.mid);
    add(gpu, { a: x, b: out }, { y: mid });

    const normed2 = view(a.normed2);
    rmsNorm(gpu, { x: mid, weight: weights.postAttentionNorm }, { y: normed2, rstd: view(a.rstd2) }, eps);
    project("gate_proj", normed2, view(a.gate));
    project("up_proj", normed2, view(a.up));
    const gated = view(a.gated);
    swiglu(gpu, { gate: view(a.gate), up: view(a.up) }, { y: gated });
    project("down_proj", gated, out);
    add(gpu, { a: mid, b: out }, { y: next });
  });
  rmsNorm(gpu, { x: view(activations.last), weight: model.norm }, { y: view(activations.hidden), rstd: view(activations.rstd) }, eps);
}

/** y = x Wᵀ + bias, and with LoRA z = x Aᵀ, y += scale * z Bᵀ. */
function projection(
  gpu: Gpu,
  { matrix, bias }: Linear,
  lora: LoraPair | undefined,
  scale: number,
  { x, z, y }: { x: Tensor; z: Tensor; y: Tensor },
): void {
  multiply(gpu, { x, matrix, bias }, { y });
  if (!lora) return;
  linear(gpu, { x, weight: lora.A }, { y: z });
  linear(gpu, { x: z, weight: lora.B }, { y }, { scale, accumulate: true });
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
