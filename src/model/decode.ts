// The forward pass of decoding: one new token to a sequence. On a graphics card few rows leave the tiles of forward.ts idle, and
// each dispatch costs as much as a small product: there, a layer is six dispatches (five over short contexts), which split their sums
// over the lanes of a workgroup in an order that no batch changes. On a processor it is forward's.

import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { attentionJoin } from "../kernels/attention_join.ts";
import { attentionChunks, attentionSplit } from "../kernels/attention_split.ts";
import { linearSplit } from "../kernels/linear_split.ts";
import { rmsNorm } from "../kernels/rms_norm.ts";
import { swiglu } from "../kernels/swiglu.ts";
import { type Activations, type Allocate, rowsOf, shaped } from "./activations.ts";
import type { ModelConfig } from "./config.ts";
import { addLora, forward, type Pass } from "./forward.ts";
import type { Adapter } from "./lora.ts";
import { gather, multiply, multiplyFewRows } from "./matrix.ts";
import type { Model } from "./model.ts";
import type { PassSize } from "./pack.ts";

/** A pass of decoding. */
export interface DecodeSize extends PassSize {
  /** Keys that the token with the longest sequence sees. */
  readonly longest: number;
}

/** What a pass over B tokens that see up to `longest` keys needs besides the activations. */
export const layOutParts = ({ heads, headSize }: ModelConfig, B: number, longest: number, alloc: Allocate): Tensor =>
  alloc("attention parts", [B * attentionChunks(longest) * heads * (headSize + 2)]);

/** Logits [B, V] of the uploaded tokens, each the last of its sequence; their keys and values go to their slots. */
export function decodeForward(
  gpu: Gpu,
  model: Model,
  adapter: Adapter | null,
  activations: Activations,
  { parts, logits }: { parts: Tensor; logits: Tensor },
  size: DecodeSize,
): void {
  const view = (t: Tensor) => rowsOf(t, size.tokens);
  const { hidden, last, layers } = activations;
  if (gpu.software) {
    forward(gpu, model, adapter, activations, size);
    multiply(gpu, { x: view(hidden), matrix: model.head }, { y: logits });
    return;
  }
  const pass = { gpu, model, adapter, activations, size };
  gather(gpu, { matrix: model.embedding, ids: view(activations.ids) }, { y: view(layers[0]!.x) });
  layers.forEach((_, i) => {
    attentionHalf(pass, i, parts, size.longest);
    feedForwardHalf(pass, i, view(layers[i + 1]?.x ?? last));
  });
  const norm = { weight: model.norm, eps: model.config.normEps };
  multiplyFewRows(gpu, { x: view(last), matrix: model.head, norm }, { y: logits });
}

/** Layer i from its input `x` to `mid`, behind attention's residual. */
function attentionHalf(pass: Pass, i: number, parts: Tensor, longest: number): void {
  const { gpu, model, activations, size } = pass;
  const { config } = model;
  const { heads, headSize: D } = config;
  const view = (t: Tensor) => rowsOf(t, size.tokens);
  const weights = model.layers[i]!;
  const a = activations.layers[i]!;
  const [qkv, attended, spans] = [view(a.qkv), view(a.attended), view(activations.spans)];
  project(pass, i, "qkv_proj", view(a.x), weights.inputNorm, qkv);
  const chunks = attentionChunks(longest);
  const chunked = chunks > 1 ? shaped(parts, [size.tokens, chunks, heads, D + 2]) : attended;
  const tokens = { qkv, norms: weights.headNorms, positions: view(activations.positions), spans, rotary: model.rotary };
  attentionSplit(gpu, tokens, { k: a.k, v: a.v, parts: chunked }, config, { chunks, keys: size.keys });
  if (chunks > 1) attentionJoin(gpu, { parts: chunked, spans }, { o: attended });
  const { matrix, bias } = weights.o_proj;
  multiplyFewRows(gpu, { x: attended, matrix, bias, residual: view(a.x) }, { y: view(a.mid) });
  addLora(pass, i, "o_proj", attended, view(a.mid));
}

/** Layer i from `mid` to its output. */
function feedForwardHalf(pass: Pass, i: number, out: Tensor): void {
  const { gpu, model, adapter, activations, size } = pass;
  const view = (t: Tensor) => rowsOf(t, size.tokens);
  const { gate_up_proj, down_proj, postAttentionNorm: weight } = model.layers[i]!;
  const a = activations.layers[i]!;
  const gated = view(activations.gated);
  const norm = { weight, eps: model.config.normEps };
  const adapted = adapter?.layers[i]?.gate_proj || adapter?.layers[i]?.up_proj;
  const [only, ...shards] = gate_up_proj.matrix;
  if (only && shards.length === 0 && !adapted) {
    linearSplit(gpu, { x: view(a.mid), weight: only.data, scales: only.scales }, { y: gated }, { norm, gated: true });
  } else {
    project(pass, i, "gate_up_proj", view(a.mid), weight, view(a.gateUp));
    swiglu(gpu, { gate_up: view(a.gateUp) }, { y: gated });
  }
  multiplyFewRows(gpu, { x: gated, matrix: down_proj.matrix, bias: down_proj.bias, residual: view(a.mid) }, { y: out });
  addLora(pass, i, "down_proj", gated, out);
}

/** A product of x's norm; with LoRA, which reads that too, the norm is made first. */
function project(pass: Pass, i: number, name: "qkv_proj" | "gate_up_proj", x: Tensor, weight: Tensor, y: Tensor): void {
  const { gpu, model, adapter, activations, size } = pass;
  const { matrix, bias } = model.layers[i]![name];
  const eps = model.config.normEps;
  if (!adapter) {
    multiplyFewRows(gpu, { x, matrix, bias, norm: { weight, eps } }, { y });
    return;
  }
  const normed = rowsOf(activations.normed, size.tokens);
  rmsNorm(gpu, { x, weight }, { y: normed, rstd: rowsOf(activations.rstd, size.tokens) }, eps);
  multiplyFewRows(gpu, { x: normed, matrix, bias }, { y });
  addLora(pass, i, name, normed, y);
}
