// A trainer that outlives its GPU: on another one it begins where it was remembered last, and takes the steps since again.
import type { Engine } from "../ap2o/engine_student.ts";
import { Patience } from "../ap2o/patience.ts";
import { TimeShare } from "../ap2o/time_share.ts";
import { type Adapter, adapterGradients, adapterToFile, writeAdapterWeights } from "../model/lora.ts";
import type { AdapterFile } from "../model/peft.ts";
import type { StepWork, Trainer, TrainerMemory, TrainingPair, TrainMetrics } from "../train/trainer.ts";

/** Share of the time that remembering may take. */
const TIME_SHARE = 0.02;

/** What trains, on a device of its own. */
export interface Training {
  readonly engine: Engine;
  readonly adapter: Adapter;
  readonly trainer: Trainer;
}

export interface LastingTrainerOptions {
  /** Begins anew on another device than the one that failed. */
  begin(failed: Training): Promise<Training>;
  /** Is given the weights whenever they are remembered: they are what is left where no GPU lasts. */
  kept(weights: AdapterFile, step: number): void;
  /** Hears of every loss, in a sentence. */
  told(message: string): void;
  /** A clock in ms. */
  now(): number;
}

export class LastingTrainer {
  readonly #options: LastingTrainerOptions;
  readonly #patience: Patience;
  #training: Training;
  #memory: { readonly weights: AdapterFile; readonly trainer: TrainerMemory } | null = null;
  #since: (readonly TrainingPair[])[] = [];
  /** Steps that count. */
  #steps = 0;
  readonly #share: TimeShare;

  constructor(training: Training, options: LastingTrainerOptions) {
    this.#training = training;
    this.#options = options;
    const kept = () => `what was trained until step ${this.#steps - this.#since.length} is kept`;
    this.#patience = new Patience({ told: options.told, now: options.now, kept });
    this.#share = new TimeShare(TIME_SHARE, options.now, options.now());
  }

  /** The engine that is open now. */
  get engine(): Engine {
    return this.#training.engine;
  }

  /** One step, and where its update was skipped the first tensor with NaN or infinity in it. */
  async step(batch: readonly TrainingPair[]): Promise<TrainMetrics & { work: StepWork; bad_tensor: string | null }> {
    const done = await this.#insist(async ({ trainer }) => {
      const metrics = await trainer.step(batch);
      return { ...metrics, work: trainer.work, bad_tensor: trainer.badTensor };
    });
    this.#since.push(batch);
    this.#steps += 1;
    await this.#remember();
    return done;
  }

  /** The gradients of a batch's mean loss; the weights stay. */
  gradients(batch: readonly TrainingPair[]): Promise<Awaited<ReturnType<typeof adapterGradients>>> {
    return this.#insist(async ({ engine, adapter, trainer }) => {
      await trainer.computeGradients(batch);
      return adapterGradients(engine.gpu, adapter);
    });
  }

  weights(): Promise<AdapterFile> {
    return this.#insist(({ engine, adapter }) => adapterToFile(engine.gpu, adapter));
  }

  /** Reads everything back when the last time was so long ago that it costs next to nothing. */
  async #remember(): Promise<void> {
    await this.#share.spend(async () => {
      this.#memory = await this.#insist(async ({ engine, adapter, trainer }) => ({
        weights: await adapterToFile(engine.gpu, adapter),
        trainer: await trainer.memory(),
      }));
      this.#since = [];
      this.#options.kept(this.#memory.weights, this.#steps);
    });
  }

  #insist<T>(work: (training: Training) => Promise<T>): Promise<T> {
    return this.#patience.insist(() => work(this.#training), this.#replace);
  }

  #replace = async (): Promise<void> => {
    this.#training = await this.#options.begin(this.#training);
    const { engine, adapter, trainer } = this.#training;
    if (this.#memory) {
      writeAdapterWeights(engine.gpu, adapter, this.#memory.weights.tensors);
      trainer.remember(this.#memory.trainer);
    }
    for (const batch of this.#since) await trainer.step(batch);
  };
}
