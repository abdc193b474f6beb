// The backward pass: forward.ts read from its end, a flat list of kernel calls. Base weights are frozen; gradients of LoRA's A and
// B are added to the adapter's arena, so that several packs accumulate into one batch.

import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { attentionBackwardDelta } from "../kernels/attention_backward_delta.ts";
import { attentionBackwardKeyValue } from "../kernels/attention_backward_key_value.ts";
import { attentionBackwardQuery } from "../kernels/attention_backward_query.ts";
import { linearBackward } from "../kernels/linear_backward.ts";
import { linearWeightBackward } from "../kernels/linear_weight_backward.ts";
import { rmsNorm } from "../kernels/rms_norm.ts";
import { rmsNormBackward } from "../kernels/rms_norm_backward.ts";
import { ropeBackward } from "../kernels/rope_backward.ts";
import { swiglu } from "../kernels/swiglu.ts";
import { swigluBackward } from "../kernels/swiglu_backward.ts";
import { type Activations, type BackwardScratch, type LayerActivations, rowsOf, shaped } from "./activations.ts";
import { attentionHalf, feedForwardHalf, normMid, type Pass } from "./forward.ts";
import type { Adapter, LoraPair } from "./lora.ts";
import { type Matrix, multiplyBackward } from "./matrix.ts";
import type { Model } from "./model.ts";
import type { PassSize } from "./pack.ts";
import type { Projection } from "./weight_shapes.ts";

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
  const zero = shaped(scratch.zero, [size.tokens, config.C]);

  rmsNormBackward(
    gpu,
    { x: view(activations.last), weight: model.norm, rstd: view(activations.lastRstd), dy: dhidden, residual: zero },
    { dx },
  );
  for (let i = config.layers - 1; i >= 0; i--) {
    const weights = model.layers[i]!;
    const a = activations.layers[i]!;
    const lora = adapter.layers[i]!;
    const project = (name: Projection, dy: Tensor, x: Tensor, dinput: Tensor, accumulate = false) =>
      projectionBackward(gpu, weights[name].matrix, lora[name], adapter.scale, {
        dy: view(dy),
        x,
        z: view(a.z[name]),
        dz: view(scratch.dz),
        dx: view(dinput),
        accumulate,
      });

    recompute(pass, i);
    project("down_proj", dx, gated, scratch.dgated);
    swigluBackward(
      gpu,
      { gate: view(a.gate), up: view(a.up), dy: view(scratch.dgated) },
      { dgate: view(scratch.dgate), dup: view(scratch.dup) },
    );
    project("up_proj", scratch.dup, normed, dnormed);
    project("gate_proj", scratch.dgate, normed, dnormed, true);
    rmsNormBackward(gpu, { x: view(a.mid), weight: weights.postAttentionNorm, rstd, dy: dnormed, residual: dx }, { dx: dmid });

    project("o_proj", dmid, view(a.attended), scratch.dattended);
    attentionBackward(gpu, model, activations, a, scratch, size);
    const queries = { dy: view(scratch.dq), raw: view(a.qRaw), norm: weights.qNorm, rstd: a.rstdQ, heads: config.heads };
    rotateBackward(gpu, model, activations, queries, view(scratch.dqNormed), view(scratch.dqRaw));
    const keys = { dy: view(scratch.dk), raw: view(a.kRaw), norm: weights.kNorm, rstd: a.rstdK, heads: config.kvHeads };
    rotateBackward(gpu, model, activations, keys, view(scratch.dkNormed), view(scratch.dkRaw));
    rmsNorm(gpu, { x: view(a.x), weight: weights.inputNorm }, { y: normed, rstd }, config.normEps);
    project("v_proj", scratch.dv, normed, dnormed);
    project("k_proj", scratch.dkRaw, normed, dnormed, true);
    project("q_proj", scratch.dqRaw, normed, dnormed, true);
    if (i === 0) return; // nothing trainable lies before the first layer's projections
    rmsNormBackward(gpu, { x: view(a.x), weight: weights.inputNorm, rstd, dy: dnormed, residual: dmid }, { dx });
  }
}

/** What layer i's gradients read and its checkpoint did not keep, from `x` or `mid` to the feed-forward's `normed` and `gated`. */
function recompute(pass: Pass, i: number): void {
  const { gpu, activations, size } = pass;
  const { gate, up } = activations.layers[i]!;
  if (activations.checkpoint === "layer-inputs") attentionHalf(pass, i);
  if (activations.checkpoint === "all") {
    normMid(pass, i);
    const view = (t: Tensor) => rowsOf(t, size.tokens);
    swiglu(gpu, { gate: view(gate), up: view(up) }, { y: view(activations.gated) });
  } else {
    feedForwardHalf(pass, i);
  }
}

interface ProjectionGradients {
  readonly dy: Tensor; // [T, out]
  readonly x: Tensor; // [T, in]
  readonly z: Tensor; // [T, R] = x Aᵀ
  readonly dz: Tensor; // [T, R] scratch
  readonly dx: Tensor; // [T, in]
  readonly accumulate: boolean;
}

/** dx (+)= dy W; with LoRA dz = scale * dy B, dx += dz A, dA += dzᵀ x, dB += scale * dyᵀ z. */
function projectionBackward(
  gpu: Gpu,
  matrix: Matrix,
  lora: LoraPair | undefined,
  scale: number,
  { dy, x, z, dz, dx, accumulate }: ProjectionGradients,
): void {
  multiplyBackward(gpu, { dy, matrix }, { dx }, { accumulate });
  if (!lora) return;
  linearBackward(gpu, { dy, weight: lora.B }, { dx: dz }, { scale });
  linearBackward(gpu, { dy: dz, weight: lora.A }, { dx }, { accumulate: true });
  linearWeightBackward(gpu, { dy: dz, x }, { dweight: lora.dA });
  linearWeightBackward(gpu, { dy, x: z }, { dweight: lora.dB }, scale);
}

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
  attentionBackwardKeyValue(gpu, { q, k, v, d_o, stats, readers }, { dk: view(scratch.dk), dv: view(scratch.dv) }, D, keys);
}

interface HeadGradients {
  readonly dy: Tensor; // [T, heads * D] gradient of the rotated heads
  readonly raw: Tensor; // [T, heads * D] before norm and rope
  readonly norm: Tensor | null;
  readonly rstd: Tensor;
  readonly heads: number;
}

/** Back through rope, then through Qwen3's norm over each head where there is one. */
function rotateBackward(
  gpu: Gpu,
  { config, rotary }: Model,
  activations: Activations,
  { dy, raw, norm, rstd, heads }: HeadGradients,
  dnormed: Tensor,
  draw: Tensor,
): void {
  const [T = 0] = raw.shape;
  const positions = rowsOf(activations.positions, T);
  ropeBackward(gpu, { dy, positions, rotary }, { dx: norm ? dnormed : draw });
  if (!norm) return;
  const perHead = (t: Tensor) => shaped(t, [T * heads, config.headSize]);
  const zero = perHead(activations.backward!.zero);
  rmsNormBackward(
    gpu,
    { x: perHead(raw), weight: norm, rstd: shaped(rstd, [T * heads]), dy: perHead(dnormed), residual: zero },
    { dx: perHead(draw) },
  );
}
