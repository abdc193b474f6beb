import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, numel, type Tensor } from "../gpu/tensor.ts";

export interface AdamwStep {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  /** 1 - beta ^ t, of the step's number t from 1. */
  readonly biasCorrection1: number;
  readonly biasCorrection2: number;
  /** 0: no clipping. */
  readonly maxGradNorm: number;
}

interface Outputs {
  parameter: Tensor;
  exp_avg: Tensor;
  exp_avg_sq: Tensor;
}

/** One AdamW step in place over flat tensors; norm [2] is sum_partials' of the gradient. Not finite: nothing is changed. */
export function adamw(gpu: Gpu, { gradient, norm }: { gradient: Tensor; norm: Tensor }, outputs: Outputs, step: AdamwStep): void {
  const { parameter, exp_avg, exp_avg_sq } = outputs;
  for (const t of [parameter, exp_avg, exp_avg_sq]) expectShape(t, gradient.shape);
  expectShape(norm, [2]);
  const entries = numel(gradient.shape);
  const groups = Math.ceil(entries / 256);
  const params = {
    entries,
    learning_rate: step.learningRate,
    beta1: step.beta1,
    beta2: step.beta2,
    rest1: 1 - step.beta1,
    rest2: 1 - step.beta2,
    eps: step.eps,
    weight_decay: step.weightDecay,
    bias_correction1: step.biasCorrection1,
    bias_correction2: step.biasCorrection2,
    max_grad_norm: step.maxGradNorm,
  };
  const workgroups = [Math.min(groups, 65535), Math.ceil(groups / 65535)] as const;
  gpu.run("adamw", { gradient, norm }, { parameter, exp_avg, exp_avg_sq }, { params, workgroups });
}
