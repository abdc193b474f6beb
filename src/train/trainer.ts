// One optimiser step of preference training: pairs in, TRL's metrics out. The reference is the model with its adapter off; its
// log-probabilities are computed once per pair and kept (references.ts).

import type { Gpu } from "../gpu/gpu.ts";
import { InputError } from "../input_error.ts";
import { type Checkpoint, rowsOf } from "../model/activations.ts";
import { backward } from "../model/backward.ts";
import { firstBadTensor } from "../model/first_bad.ts";
import { forward } from "../model/forward.ts";
import { headBackward, recordHead } from "../model/head.ts";
import { type Adapter, readArena, writeArena } from "../model/lora.ts";
import type { Model } from "../model/model.ts";
import { passSize, type TrainingPack } from "../model/pack.ts";
import type { AdapterFile } from "../model/peft.ts";
import { type ForwardWork, forwardWork } from "../model/work.ts";
import {
  allocateWorkspace,
  type CompletionLogps,
  type CompletionRows,
  freeWorkspace,
  PACK_TOKENS,
  packPairs,
  pairTokens,
  runPack,
  splitPairs,
  type Workspace,
} from "./logps.ts";
import { type PreferenceMetrics, preferenceMetrics, type TokenMetrics, tokenMetrics } from "./metrics.ts";
import {
  couplesPairs,
  evaluateObjective,
  type LossType,
  OBJECTIVES,
  type ObjectiveOptions,
  type ObjectiveResult,
  type PairLogps,
} from "./objectives.ts";
import { Optimizer, type OptimizerOptions } from "./optimizer.ts";
import type { TokenPair } from "./pair.ts";
import { memoryReferences, type ReferenceStore, referenceIdentity, referenceKey } from "./references.ts";
import { learningRate, type ScheduleOptions } from "./schedule.ts";

export interface TrainOptions {
  readonly lossType: LossType;
  readonly objective: ObjectiveOptions;
  readonly schedule: ScheduleOptions;
  readonly optimizer: OptimizerOptions;
  /** Tokens of one pack, where no single pair is longer; a larger batch runs in several. */
  readonly packTokens?: number;
  /** What a forward pass keeps for the backward pass; everything unless told. */
  readonly checkpoint?: Checkpoint;
  /** Where the references are; in memory unless told. */
  readonly references?: ReferenceStore;
}

/** How many operations a step was. */
export interface StepWork {
  /** Of policy and gradients. */
  readonly flops: number;
  /** Of each pair's reference, computed in this step or known from before; 0 where the objective has none. */
  readonly referenceFlops: readonly number[];
}

/** A pair to train on. */
export interface TrainingPair extends TokenPair {
  /** Focal loss: 1 for the tokens that count, in policy and reference alike; all of a side where its mask is absent. */
  readonly rejectedMask?: readonly number[];
  readonly chosenMask?: readonly number[];
}

/** What a step reports. Preference metrics are absent for SFT, as in TRL. */
export interface TrainMetrics extends TokenMetrics, Partial<PreferenceMetrics> {
  loss: number;
  /** Before clipping; NaN when the update was skipped because a gradient was not finite. */
  grad_norm: number;
  /** Used in this step. */
  learning_rate: number;
  /** Tokens of all steps so far, this one included. */
  num_tokens: number;
  /** Tokens of the batch as TRL counts them: the prompt once per side. */
  tokens: number;
}

type BatchMetrics = Omit<TrainMetrics, "grad_norm" | "learning_rate" | "num_tokens">;

/** What a trainer is besides its adapter's weights. */
export interface TrainerMemory {
  readonly expAvg: AdapterFile["tensors"];
  readonly expAvgSq: AdapterFile["tensors"];
  /** Steps taken, updates among them that changed something, tokens seen. */
  readonly counters: { readonly steps: number; readonly updates: number; readonly tokens: number; readonly longest: number };
}

export class Trainer {
  readonly optimizer: Optimizer;
  readonly options: TrainOptions;
  #gpu: Gpu;
  #model: Model;
  #adapter: Adapter;
  #workspace: Workspace | null = null;
  readonly #references: ReferenceStore;
  readonly #identity: string;
  #referenceWork: ForwardWork | null = null;
  #work: StepWork = { flops: 0, referenceFlops: [] };
  #compiled = false;
  #steps = 0;
  #tokens = 0;
  #badTensor: string | null = null;
  /** Tokens of the largest workspace so far, those before `remember` included. */
  #longest = 0;

  /** @throws InputError for an adapter with dropout: its training would be another one */
  constructor(gpu: Gpu, model: Model, adapter: Adapter, options: TrainOptions) {
    const { lora_dropout } = adapter.config;
    if (lora_dropout !== undefined) {
      throw new InputError(
        `adapter_config.json: lora_dropout ${lora_dropout}: dropout cannot be run in training; set it to 0 to go on without it.`,
      );
    }
    this.#gpu = gpu;
    this.#model = model;
    this.#adapter = adapter;
    this.options = options;
    this.#references = options.references ?? memoryReferences();
    this.#identity = referenceIdentity(gpu, model);
    this.optimizer = new Optimizer(gpu, adapter, options.optimizer);
  }

  /** Steps taken, skipped updates included: what the schedule counts. */
  get steps(): number {
    return this.#steps;
  }

  /** How many operations the last step was: a function of its batch. */
  get work(): StepWork {
    return this.#work;
  }

  /** Where the last step's update was skipped: the first tensor with NaN or infinity in it. */
  get badTensor(): string | null {
    return this.#badTensor;
  }

  /** Trains on one batch, all its pairs with the same weight. It counts once the update's results were read back. */
  async step(batch: readonly TrainingPair[]): Promise<TrainMetrics> {
    const metrics = await this.computeGradients(batch);
    const rate = learningRate(this.#steps, this.options.schedule);
    const sound = Object.values(metrics).every(Number.isFinite); // a statistic that is none means that a tensor went bad, too
    const gradNorm = sound ? await this.optimizer.step(rate) : Number.NaN;
    this.#badTensor = Number.isFinite(gradNorm) ? null : await this.#firstBad(batch);
    this.#steps += 1;
    this.#tokens += metrics.tokens;
    return { ...metrics, grad_norm: gradNorm, learning_rate: rate, num_tokens: this.#tokens };
  }

  /** Computes the batch again, in a workspace that the first pass has not written to, and looks at every tensor. */
  async #firstBad(batch: readonly TrainingPair[]): Promise<string> {
    const bad = await firstBadTensor(this.#gpu, () => {
      if (this.#workspace) freeWorkspace(this.#gpu, this.#workspace);
      this.#workspace = null;
      return this.#gradients(batch, memoryReferences());
    });
    return bad ?? "none when it was computed again";
  }

  /** Moments and counters, to go on from another time. */
  async memory(): Promise<TrainerMemory> {
    const { expAvg, expAvgSq, steps: updates } = this.optimizer;
    return {
      expAvg: await readArena(this.#gpu, this.#adapter, expAvg),
      expAvgSq: await readArena(this.#gpu, this.#adapter, expAvgSq),
      counters: { steps: this.#steps, updates, tokens: this.#tokens, longest: this.workspaceTokens },
    };
  }

  /** Back to where `memory` was taken; the adapter's weights are the caller's to put back. */
  remember({ expAvg, expAvgSq, counters }: TrainerMemory): void {
    writeArena(this.#gpu, this.#adapter, this.optimizer.expAvg, expAvg);
    writeArena(this.#gpu, this.#adapter, this.optimizer.expAvgSq, expAvgSq);
    this.optimizer.steps = counters.updates;
    this.#steps = counters.steps;
    this.#tokens = counters.tokens;
    this.#longest = counters.longest;
    if (counters.steps > 0) this.#workspaceFor(counters.longest); // as much memory is in use as was then
  }

  /** Leaves the gradients of the batch's mean loss in the adapter's arena, zeros where that loss is not finite; the weights stay. */
  async computeGradients(batch: readonly TrainingPair[]): Promise<BatchMetrics> {
    const { flops, ...metrics } = await this.#gradients(batch, this.#references);
    this.#work = { flops, referenceFlops: batch.map((pair) => this.#referenceFlops(pair)) };
    return metrics;
  }

  async #gradients(batch: readonly TrainingPair[], known: ReferenceStore): Promise<BatchMetrics & { flops: number }> {
    if (batch.length === 0) throw new Error("a batch needs at least one pair");
    const workspace = this.#fittingWorkspace(batch);
    const packs = splitPairs(batch, this.#packTokens(batch)).map((pairs) => ({ pairs, pack: packPairs(pairs) }));
    await this.#compile(workspace, packs[0]!.pack);
    const references = await this.#referenceLogps(workspace, batch, known);
    const before = this.#gpu.counters.flops;
    this.#gpu.clear(this.#adapter.gradients);
    const sums = batch.map(unknownSums);
    const evaluate = () => evaluateObjective(this.options.lossType, sums, this.options.objective);
    const learn = (rows: readonly CompletionRows[], first: number) =>
      rows.forEach((row, i) => {
        sums[first + i] = pairSums(batch[first + i]!, row, references[first + i]!);
      });
    // A pair's derivatives are its own pass's, but where pairs meet in the loss: there, a pass over all packs comes before.
    let first = 0;
    for (const { pairs, pack } of packs.length > 1 && couplesPairs(this.options.lossType) ? packs : []) {
      learn(await this.#run(workspace, pack, false), first);
      first += pairs.length;
    }
    const statistics: CompletionRows[] = [];
    let sound = true;
    first = 0;
    for (const { pairs, pack } of packs) {
      const rows = await this.#run(workspace, pack, true);
      statistics.push(...rows);
      learn(rows, first);
      const objective = evaluate();
      sound &&= objective.losses.slice(first, first + pairs.length).every(Number.isFinite);
      if (sound) {
        const dhidden = headBackward(this.#gpu, workspace.head, pack, rowDerivatives(pack, pairs, objective, first));
        backward(this.#gpu, this.#model, this.#adapter, workspace.activations, dhidden, passSize(pack));
      }
      first += pairs.length;
    }
    const { loss } = evaluate();
    if (!Number.isFinite(loss)) this.#gpu.clear(this.#adapter.gradients);
    const { rejected } = OBJECTIVES[this.options.lossType];
    const preferences = rejected ? preferenceMetrics(sums, this.options.objective.beta) : {};
    const tokens = batch.reduce(
      (n, p) => n + p.promptIds.length * (p.rejectedIds.length > 0 ? 2 : 1) + p.chosenIds.length + p.rejectedIds.length,
      0,
    );
    const flops = this.#gpu.counters.flops - before;
    return { loss, ...tokenMetrics(statistics), ...preferences, tokens, flops };
  }

  /** Makes the kernels of a step before its first pass, all at once. */
  async #compile({ activations, head }: Workspace, pack: TrainingPack): Promise<void> {
    if (this.#compiled) return;
    const [gpu, model, adapter, size] = [this.#gpu, this.#model, this.#adapter, passSize(pack)];
    await gpu.compile(() => {
      for (const each of [null, adapter]) forward(gpu, model, each, activations, size);
      recordHead(gpu, model, head, rowsOf(activations.hidden, size.tokens), pack, true);
      backward(gpu, model, adapter, activations, headBackward(gpu, head, pack, new Float32Array(pack.rows.length)), size);
      this.optimizer.record(0);
    });
    this.#compiled = true;
  }

  #run(workspace: Workspace, pack: TrainingPack, gradients: boolean): Promise<CompletionRows[]> {
    return runPack(this.#gpu, this.#model, this.#adapter, workspace, pack, gradients);
  }

  /** Tokens of a pack of this batch: a function of the batch alone, so that sums are the same whatever was trained before it. */
  #packTokens(batch: readonly TokenPair[]): number {
    return Math.max(this.options.packTokens ?? PACK_TOKENS, ...batch.map(pairTokens));
  }

  /** Tokens that the workspace is for, or will be at first. */
  get workspaceTokens(): number {
    return Math.max(this.#workspace?.tokens ?? 0, this.#packTokens([]), this.#longest);
  }

  /** A workspace that holds the batch's longest pair; made anew only when a longer one comes. */
  #fittingWorkspace(batch: readonly TokenPair[]): Workspace {
    return this.#workspaceFor(this.#packTokens(batch));
  }

  #workspaceFor(tokens: number): Workspace {
    if (this.#workspace && this.#workspace.tokens >= tokens) return this.#workspace;
    if (this.#workspace) freeWorkspace(this.#gpu, this.#workspace);
    this.#workspace = allocateWorkspace(this.#gpu, this.#model, this.#adapter.R, tokens, this.options.checkpoint);
    return this.#workspace;
  }

  async #referenceLogps(workspace: Workspace, batch: readonly TokenPair[], store: ReferenceStore): Promise<CompletionLogps[]> {
    if (!this.#hasReference) return batch.map(noReference);
    const keys = batch.map((pair) => referenceKey(this.#identity, pair));
    const known = new Map(keys.map((key) => [key, store.get(key)]));
    const missing = new Map(keys.flatMap((key, i) => (known.get(key) ? [] : [[key, batch[i]!] as const])));
    const missingKeys = [...missing.keys()];
    for (const pairs of splitPairs([...missing.values()], this.#packTokens(batch))) {
      for (const { chosen, rejected } of await runPack(this.#gpu, this.#model, null, workspace, packPairs(pairs), false)) {
        const key = missingKeys.shift()!;
        known.set(key, { chosen, rejected });
        if ([chosen, rejected].every((logps) => logps.every(Number.isFinite))) await store.keep(key, { chosen, rejected });
      }
    }
    return keys.map((key) => known.get(key)!);
  }

  get #hasReference(): boolean {
    return OBJECTIVES[this.options.lossType].reference;
  }

  #referenceFlops(pair: TokenPair): number {
    if (!this.#hasReference || !this.#workspace) return 0;
    const { activations, head } = this.#workspace;
    this.#referenceWork ??= forwardWork(this.#gpu, this.#model, null, activations, head.logits);
    const { perToken, perKey, perRow } = this.#referenceWork;
    const pack = packPairs([pair]);
    const { tokens, keys } = passSize(pack);
    return perToken * tokens + perKey * keys + perRow * pack.rows.length;
  }

  free(): void {
    if (this.#workspace) freeWorkspace(this.#gpu, this.#workspace);
    this.optimizer.free();
  }
}

/** Stands in where the objective has no reference: its sums are never looked at. */
const noReference = ({ chosenIds, rejectedIds }: TokenPair): CompletionLogps => ({
  chosen: new Float32Array(chosenIds.length),
  rejected: new Float32Array(rejectedIds.length),
});

/** A pair whose pass is still to come: its derivatives mean nothing yet, but batches are weighted by its lengths. */
const unknownSums = ({ chosenIds, rejectedIds }: TokenPair): PairLogps => ({
  chosen: 0,
  rejected: 0,
  refChosen: 0,
  refRejected: 0,
  chosenLength: chosenIds.length,
  rejectedLength: rejectedIds.length,
});

function pairSums(pair: TrainingPair, policy: CompletionLogps, reference: CompletionLogps): PairLogps {
  return {
    chosen: maskedSum(policy.chosen, pair.chosenMask),
    rejected: maskedSum(policy.rejected, pair.rejectedMask),
    refChosen: maskedSum(reference.chosen, pair.chosenMask),
    refRejected: maskedSum(reference.rejected, pair.rejectedMask),
    chosenLength: pair.chosenIds.length,
    rejectedLength: pair.rejectedIds.length,
  };
}

/** In double precision. */
function maskedSum(logps: Float32Array, keep?: readonly number[]): number {
  let sum = 0;
  logps.forEach((logp, i) => {
    if (!keep || keep[i] === 1) sum += logp;
  });
  return sum;
}

/** dloss / dlogp of each of the pack's rows. `first` is the batch's index of the pack's first pair. */
function rowDerivatives(
  pack: TrainingPack,
  pairs: readonly TrainingPair[],
  { dChosen, dRejected }: ObjectiveResult,
  first: number,
): Float32Array {
  const rows = new Float32Array(pack.rows.length);
  const fill = ([from, to]: readonly [number, number], derivative: number, keep?: readonly number[]) => {
    for (let row = from; row < to; row++) rows[row] = !keep || keep[row - from] === 1 ? derivative : 0;
  };
  pairs.forEach(({ chosenMask, rejectedMask }, i) => {
    fill(pack.sequences[2 * i]!, dChosen[first + i]!, chosenMask);
    fill(pack.sequences[2 * i + 1]!, dRejected[first + i]!, rejectedMask);
  });
  return rows;
}
