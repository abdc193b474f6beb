// The backward pass: forward.ts read from its end, a flat list of kernel calls. Base weights are frozen; gradients of LoRA's A and
// B are added to the adapter's arena, so that several packs accumulate into one batch.

import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { attentionBackwardDelta } from "../kernels/attention_backward_delta.ts";
import { attentionBackwardKeyValue } from "../kernels/attention_backward_key_value.ts";
import { attentionBackwardKeyValueQuads } from "../kernels/attention_backward_key_value_quads.ts";
import { attentionBackwardQuery } from "../kernels/attention_backward_query.ts";
import { linearWeightBackward } from "../kernels/linear_weight_backward.ts";
import { linearWeightBackwardQuads } from "../kernels/linear_weight_backward_quads.ts";
import { rmsNorm } from "../kernels/rms_norm.ts";
import { rmsNormBackward } from "../kernels/rms_norm_backward.ts";
import { ropeBackward } from "../kernels/rope_backward.ts";
import { swiglu } from "../kernels/swiglu.ts";
import { swigluBackward } from "../kernels/swiglu_backward.ts";
import { type Activations, type BackwardScratch, type LayerActivations, rowsOf } from "./activations.ts";
import { attentionHalf, feedForwardHalf, normMid, type Pass } from "./forward.ts";
import type { Adapter } from "./lora.ts";
import { linearBackwardInTiles, multiplyBackward, rowsIn } from "./matrix.ts";
import type { Model } from "./model.ts";
import type { PassSize } from "./pack.ts";
import { type LayerMatrix, matrixParts } from "./weight_shapes.ts";

/**
 * Adds the gradients of A and B to the adapter's arena. `dhidden` [T, C] is the gradient of the final norm's output; the
 * activations are those that forward left for the same pass, and their `readers` must be uploaded. What they do not keep is computed again.
 */
export function backward(gpu: Gpu, model: Model, adapter: Adapter, activations: Activations, dhidden: Tensor, size: PassSize): void {
  const scratch = activations.backward;
  if (!scratch) throw new Error("the activations were not allocated for training");
  const { config } = model;
  const pass = { gpu, model, adapter, activations, size };
  const view = (t: Tensor) => rowsOf(t, size.tokens);
  const dx = view(scratch.dx);
  const dmid = view(scratch.dmid);
  const dnormed = view(scratch.dnormed);
  const [normed, rstd, gated] = [view(activations.normed), view(activations.rstd), view(activations.gated)];
  const zero = view(scratch.zero);

  rmsNormBackward(
    gpu,
    { x: view(activations.last), weight: model.norm, rstd: view(activations.lastRstd), dy: dhidden, residual: zero },
    { dx },
  );
  for (let i = config.layers - 1; i >= 0; i--) {
    const weights = model.layers[i]!;
    const a = activations.layers[i]!;
    const project = (name: LayerMatrix, dy: Tensor, x: Tensor, dinput: Tensor | null) =>
      projectBackward(pass, i, name, { dy, x, dx: dinput && view(dinput), dz: view(scratch.dz) });

    recompute(pass, i);
    project("down_proj", dx, gated, scratch.dgated);
    const dgate_up = view(scratch.dgateUp);
    swigluBackward(gpu, { gate_up: view(a.gateUp), dy: view(scratch.dgated) }, { dgate_up });
    project("gate_up_proj", dgate_up, normed, dnormed);
    rmsNormBackward(gpu, { x: view(a.mid), weight: weights.postAttentionNorm, rstd, dy: dnormed, residual: dx }, { dx: dmid });

    project("o_proj", dmid, view(a.attended), scratch.dattended);
    attentionBackward(gpu, model, activations, a, scratch, size);
    const dqkv = view(scratch.dqkv);
    const heads = { dq: view(scratch.dq), dk: view(scratch.dk), dv: view(scratch.dv) };
    const norms = weights.headNorms;
    const rotated = { qkv: norms && view(a.qkv), norms, positions: view(activations.positions), rotary: model.rotary };
    ropeBackward(gpu, { ...heads, ...rotated }, { dqkv }, config);
    rmsNorm(gpu, { x: view(a.x), weight: weights.inputNorm }, { y: normed, rstd }, config.normEps);
    project("qkv_proj", dqkv, normed, i > 0 ? dnormed : null);
    if (i === 0) return; // nothing trainable lies before the first layer's projections
    rmsNormBackward(gpu, { x: view(a.x), weight: weights.inputNorm, rstd, dy: dnormed, residual: dmid }, { dx });
  }
}

/** What layer i's gradients read and its checkpoint did not keep, from `x` or `mid` to the feed-forward's `normed` and `gated`. */
function recompute(pass: Pass, i: number): void {
  const { gpu, activations, size } = pass;
  if (activations.checkpoint === "layer-inputs") attentionHalf(pass, i);
  if (activations.checkpoint === "all") {
    normMid(pass, i);
    const view = (t: Tensor) => rowsOf(t, size.tokens);
    swiglu(gpu, { gate_up: view(activations.layers[i]!.gateUp) }, { y: view(activations.gated) });
  } else {
    feedForwardHalf(pass, i);
  }
}

interface ProjectionGradients {
  readonly dy: Tensor; // [T, out]
  readonly x: Tensor; // [T, in]
  readonly dx: Tensor | null; // [T, in]; null: nobody needs it
  readonly dz: Tensor; // [T, R] scratch
}

/** dx = dy W; with LoRA, for the columns of each projection, dz = scale * dy B, dx += dz A, dA += dzᵀ x, dB += scale * dyᵀ z. */
function projectBackward(
  { gpu, model, adapter, activations, size }: Pass & { readonly adapter: Adapter },
  i: number,
  name: LayerMatrix,
  { dy, x, dx, dz }: ProjectionGradients,
): void {
  const { matrix } = model.layers[i]![name];
  if (dx) multiplyBackward(gpu, { dy, matrix }, { dx });
  for (const { projection, first } of matrixParts(model.config, name)) {
    const lora = adapter.layers[i]![projection];
    if (!lora) continue;
    const z = rowsOf(activations.layers[i]!.z[projection], size.tokens);
    const columns = { scale: adapter.scale, shard: { first, rows: rowsIn(matrix) } };
    linearBackwardInTiles(gpu, { dy, weight: lora.B }, dz, columns);
    if (dx) linearBackwardInTiles(gpu, { dy: dz, weight: lora.A }, dx, { accumulate: true });
    weightBackward(gpu)(gpu, { dy: dz, x }, { dweight: lora.dA });
    weightBackward(gpu)(gpu, { dy, x: z }, { dweight: lora.dB }, columns);
  }
}

/** The kernel for LoRA's gradients that suits the adapter: the bits are the same. */
export const weightBackward = ({ software, subgroups }: Gpu) => (software && subgroups ? linearWeightBackwardQuads : linearWeightBackward);

/** The kernel for the gradients of keys and values that suits the adapter: the bits are the same. */
export const keyValueBackward = ({ software, subgroups }: Gpu) =>
  software && subgroups ? attentionBackwardKeyValueQuads : attentionBackwardKeyValue;

function attentionBackward(
  gpu: Gpu,
  { config }: Model,
  activations: Activations,
  a: LayerActivations,
  scratch: BackwardScratch,
  { tokens, keys }: PassSize,
): void {
  const view = (t: Tensor) => rowsOf(t, tokens);
  const [q, k, v, d_o, stats] = [view(a.q), view(a.k), view(a.v), view(scratch.dattended), view(scratch.stats)];
  const D = config.headSize;
  attentionBackwardDelta(gpu, { o: view(a.attended), d_o, lse: view(a.lse) }, { stats }, D);
  attentionBackwardQuery(gpu, { q, k, v, d_o, stats, spans: view(activations.spans) }, { dq: view(scratch.dq) }, D, keys);
  const readers = view(activations.readers);
  keyValueBackward(gpu)(gpu, { q, k, v, d_o, stats, readers }, { dk: view(scratch.dk), dv: view(scratch.dv) }, D, keys);
}
