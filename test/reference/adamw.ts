export interface AdamwState {
  parameter: Float64Array;
  exp_avg: Float64Array;
  exp_avg_sq: Float64Array;
}

export interface AdamwOptions {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  /** 0: no clipping. */
  readonly maxGradNorm: number;
}

/** The state after PyTorch's clip_grad_norm_ and AdamW's update number t (from 1), in float64; unchanged if a gradient is not finite. */
export function adamw(state: AdamwState, gradient: ArrayLike<number>, t: number, options: AdamwOptions): AdamwState {
  const { learningRate, beta1, beta2, eps, weightDecay, maxGradNorm } = options;
  const norm = Math.hypot(...Array.from(gradient));
  if (!Number.isFinite(norm)) return state;
  const clip = maxGradNorm > 0 ? Math.min(1, maxGradNorm / (norm + 1e-6)) : 1;
  const exp_avg = state.exp_avg.map((m, i) => beta1 * m + (1 - beta1) * clip * gradient[i]!);
  const exp_avg_sq = state.exp_avg_sq.map((v, i) => beta2 * v + (1 - beta2) * (clip * gradient[i]!) ** 2);
  const parameter = state.parameter.map((p, i) => {
    const denominator = Math.sqrt(exp_avg_sq[i]! / (1 - beta2 ** t)) + eps;
    return p * (1 - learningRate * weightDecay) - ((learningRate / (1 - beta1 ** t)) * exp_avg[i]!) / denominator;
  });
  return { parameter, exp_avg, exp_avg_sq };
}
