// AdamW (Loshchilov & Hutter 2019) with clipping of the global norm, as PyTorch has them, over the adapter's whole arena.

import { type Gpu, NotFinite } from "../gpu/gpu.ts";
import { bytesOf, type Tensor } from "../gpu/tensor.ts";
import { adamw } from "../kernels/adamw.ts";
import { sumOfSquares } from "../kernels/sum_of_squares.ts";
import { sumPartials } from "../kernels/sum_partials.ts";
import { shaped } from "../model/activations.ts";
import type { Adapter } from "../model/lora.ts";

export interface OptimizerOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  /** 0: no clipping. */
  readonly maxGradNorm: number;
}

/** Workgroups of the norm's first stage: fixed, so that its sums do not depend on the adapter. */
const PARTIALS = 4096; // an invocation each
/** From one pair of sums to the next, of four: where a binding may begin. */
const SUMS_BYTES = 256;

/** Bytes that the optimiser of an adapter takes, whose parameters take `parameterBytes`. */
export const optimizerBytes = (parameterBytes: number): number =>
  2 * parameterBytes + bytesOf([PARTIALS, 2], "f32") + bytesOf([SUMS_BYTES], "f32");

export class Optimizer {
  readonly options: OptimizerOptions;
  /** Updates taken: skipped ones do not count. */
  steps = 0;
  readonly expAvg: Tensor;
  readonly expAvgSq: Tensor;
  #gpu: Gpu;
  #adapter: Adapter;
  #partials: Tensor;
  #sums: Tensor;

  constructor(gpu: Gpu, adapter: Adapter, options: OptimizerOptions) {
    this.#gpu = gpu;
    this.#adapter = adapter;
    this.options = options;
    const n = adapter.parameters.bytes / 4;
    this.expAvg = gpu.alloc("exp_avg", [n]);
    this.expAvgSq = gpu.alloc("exp_avg_sq", [n]);
    this.#partials = gpu.alloc("partial sums", [PARTIALS, 2]);
    this.#sums = gpu.alloc("sums", [SUMS_BYTES]);
  }

  /**
   * One update from the arena's gradients. Gives their norm before clipping, read back after the update; NaN when a gradient is
   * not finite: then nothing was changed.
   */
  async step(learningRate: number): Promise<number> {
    this.record(learningRate);
    const read = await this.#gpu.read(this.#sums);
    const [squares = 0, bad = 0] = read;
    if (bad > 0 || !Number.isFinite(squares)) return Number.NaN;
    const broken = this.#state.find((_, i) => read[((i + 1) * SUMS_BYTES) / 4 + 1]! > 0);
    const t = this.steps + 1;
    if (broken) throw new NotFinite(`${broken.name} holds NaN or infinity after update ${t}`); // no later update would heal it
    this.steps = t;
    return Math.sqrt(squares);
  }

  /** What an update leaves behind, and what counts NaN and infinity in it. */
  get #state(): Tensor[] {
    const { parameters } = this.#adapter;
    return [this.expAvg, this.expAvgSq, shaped(parameters, [parameters.bytes / 4])];
  }

  /** The dispatches of an update, recorded but not waited for. */
  record(learningRate: number): void {
    const { parameters, gradients } = this.#adapter;
    const n = parameters.bytes / 4;
    const [parameter, gradient] = [shaped(parameters, [n]), shaped(gradients, [n])];
    const [norm, ...sums] = [0, 1, 2, 3].map((i): Tensor => ({ ...this.#sums, shape: [2], offset: i * SUMS_BYTES, bytes: 8 }));
    const t = this.steps + 1;
    const { beta1, beta2 } = this.options;
    sumOfSquares(this.#gpu, { x: gradient }, { partials: this.#partials });
    sumPartials(this.#gpu, { partials: this.#partials }, { sums: norm! });
    adamw(
      this.#gpu,
      { gradient, norm: norm! },
      { parameter, exp_avg: this.expAvg, exp_avg_sq: this.expAvgSq },
      { ...this.options, learningRate, biasCorrection1: 1 - beta1 ** t, biasCorrection2: 1 - beta2 ** t },
    );
    for (const [i, x] of this.#state.entries()) {
      sumOfSquares(this.#gpu, { x }, { partials: this.#partials });
      sumPartials(this.#gpu, { partials: this.#partials }, { sums: sums[i]! });
    }
  }

  free(): void {
    for (const tensor of [this.expAvg, this.expAvgSq, this.#partials, this.#sums]) this.#gpu.free(tensor);
  }
}
