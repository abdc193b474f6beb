// The student on the real engine: a model with a LoRA adapter on the GPU.
import { type AdapterInfo, largestBinding } from "../gpu/device.ts";
import type { Gpu } from "../gpu/gpu.ts";
import type { Checkpoint } from "../model/activations.ts";
import { generate } from "../model/generate.ts";
import { type Adapter, adapterFromFile, adapterToFile, createAdapter, freeAdapter, writeAdapterWeights } from "../model/lora.ts";
import type { Model } from "../model/model.ts";
import type { AdapterFile, LoraConfig } from "../model/peft.ts";
import { chatPrompt } from "../model/tokenizer.ts";
import { PACK_TOKENS } from "../train/logps.ts";
import { type MemoryNeeds, planMemory, planToFit } from "../train/memory_plan.ts";
import { DEFAULT_OPTIONS } from "../train/objectives.ts";
import { tokenizePair } from "../train/pair.ts";
import type { ReferenceStore } from "../train/references.ts";
import { Trainer, type TrainingPair, type TrainOptions } from "../train/trainer.ts";
import type { RunConfig } from "./config.ts";
import { type DiffUnit, focalMask, markedPlaces } from "./focal_diff.ts";
import type { Ask, AskOptions, Differences, Lesson, LessonMetrics, Student, StudentFacts, StudentMemory, Written } from "./student.ts";

/** Most answers in the making at once. How many they are changes the speed, never an answer. */
const BATCH = 64;

/** A device with a model on it. */
export interface Engine {
  readonly gpu: Gpu;
  readonly model: Model;
  readonly device: AdapterInfo;
  /** No limit, and everything kept, unless told. */
  readonly memory?: MemoryChoice;
}

export interface MemoryChoice {
  /** Bytes that plans may come to; null: any. */
  readonly budget: number | null;
  /** What training keeps of a forward pass, or less where the budget asks for it. */
  readonly checkpoint: Checkpoint;
  /** Most answers at once that fit, where that was planned when the model was loaded. */
  readonly batch?: number;
}

/** A student who has learned nothing yet: an adapter as PEFT begins it, which changes no answer. */
export function newStudent(engine: Engine, config: RunConfig): EngineStudent {
  return new EngineStudent(engine, createAdapter(engine.gpu, engine.model, loraConfig(config), config.seed));
}

/** A student who goes on from an adapter: it sits the exam and is evaluated with it, before as after. */
export function continuedStudent(engine: Engine, file: AdapterFile): EngineStudent {
  return new EngineStudent(engine, adapterFromFile(engine.gpu, engine.model, file), true);
}

function loraConfig({ r, lora_alpha, target_modules, use_rslora }: RunConfig): LoraConfig {
  return { r, lora_alpha, target_modules, use_rslora };
}

export class EngineStudent implements Student {
  readonly #engine: Engine;
  readonly #adapter: Adapter | null;
  readonly #continued: boolean;
  readonly #budget: number | null;
  #checkpoint: Checkpoint;
  #trainer: Trainer | null = null;
  #sampling: MemoryNeeds["sampling"] = null;

  /**
   * @param adapter null: the base model alone, which cannot learn
   * @param continued the adapter is on from the beginning, not only once it was trained
   */
  constructor(engine: Engine, adapter: Adapter | null, continued = false) {
    this.#engine = engine;
    const { budget, checkpoint } = engine.memory ?? { budget: null, checkpoint: "all" };
    this.#budget = budget;
    this.#checkpoint = checkpoint;
    this.#adapter = adapter;
    this.#continued = continued;
    const { counters } = engine.gpu;
    counters.peakBytes = counters.bytes; // what loading took, or a run before this one, is none of this one's
  }

  renderChat = (messages: { role: string; content: string }[]): string => chatPrompt(this.#engine.model.tokenizer, messages);

  prepare(prompts: readonly string[], maxNewTokens: number): void {
    const longest = prompts.reduce((most, prompt) => Math.max(most, this.#encode(prompt).length), 0);
    this.#planSampling(longest, maxNewTokens);
  }

  #encode(prompt: string): number[] {
    return this.#engine.model.tokenizer.encode(prompt, { addSpecial: true }); // as pairs are
  }

  async *write(questions: readonly Ask[], { trained, ...options }: AskOptions): AsyncGenerator<Written> {
    const { gpu, model } = this.#engine;
    const encoded = new Map<string, number[]>();
    const requests = questions.map(({ prompt, stream }) => {
      const promptIds = encoded.get(prompt) ?? this.#encode(prompt);
      encoded.set(prompt, promptIds);
      return { promptIds, stream };
    });
    const adapter = trained || this.#continued ? this.#adapter : null;
    const batch = this.#sampling?.batch ?? BATCH;
    for await (const { index, text, ended, flops, promptFlops } of generate(gpu, model, adapter, requests, { ...options, batch })) {
      yield { index, text, ended, flops, promptFlops };
    }
  }

  begin(config: RunConfig, totalSteps: number, references: ReferenceStore): void {
    if (!this.#adapter) throw new Error("A student without an adapter cannot learn.");
    this.#trainer?.free();
    this.#trainer = new Trainer(this.#engine.gpu, this.#engine.model, this.#adapter, {
      ...trainOptions(config, totalSteps),
      checkpoint: this.#checkpoint,
      references,
    });
  }

  async learn(batch: readonly Lesson[]): Promise<LessonMetrics> {
    if (!this.#trainer) throw new Error("The lessons have not begun.");
    const metrics = await this.#trainer.step(batch.map((lesson) => this.#tokenize(lesson)));
    const { badTensor, work } = this.#trainer;
    return { ...metrics, ...(badTensor !== null && { bad_tensor: badTensor }), ...work };
  }

  compare(pair: Required<Pick<Lesson, "prompt" | "chosen" | "rejected">>, unit: DiffUnit): Differences {
    const { tokenizer } = this.#engine.model;
    const { promptIds, chosenIds, rejectedIds } = tokenizePair(tokenizer, pair);
    const chosen = focalMask(tokenizer, chosenIds, rejectedIds, unit);
    const rejected = focalMask(tokenizer, rejectedIds, chosenIds, unit);
    return {
      chosen,
      rejected,
      chosenPlaces: markedPlaces(tokenizer, chosenIds, chosen, pair.chosen),
      rejectedPlaces: markedPlaces(tokenizer, rejectedIds, rejected, pair.rejected),
      tokens: promptIds.length + Math.max(chosenIds.length, rejectedIds.length),
    };
  }

  #tokenize(lesson: Lesson): TrainingPair {
    return {
      ...tokenizePair(this.#engine.model.tokenizer, lesson),
      ...(lesson.chosen_mask && { chosenMask: lesson.chosen_mask }),
      ...(lesson.rejected_mask && { rejectedMask: lesson.rejected_mask }),
    };
  }

  async weights(): Promise<AdapterFile> {
    if (!this.#adapter) throw new Error("A student without an adapter has no weights of its own.");
    return adapterToFile(this.#engine.gpu, this.#adapter);
  }

  recall({ tensors }: AdapterFile): void {
    if (!this.#adapter) throw new Error("A student without an adapter has no weights of its own.");
    writeAdapterWeights(this.#engine.gpu, this.#adapter, tensors);
  }

  async memory(): Promise<StudentMemory> {
    if (!this.#trainer) throw new Error("The lessons have not begun.");
    const { counters, expAvg, expAvgSq } = await this.#trainer.memory();
    return { weights: await this.weights(), expAvg, expAvgSq, counters };
  }

  remember({ weights, ...optimizer }: StudentMemory): void {
    if (!this.#trainer) throw new Error("The lessons have not begun.");
    this.recall(weights);
    this.#trainer.remember(optimizer);
  }

  /** Gives back what adapter and optimiser hold on the GPU; the student is of no use afterwards. */
  free(): void {
    this.#trainer?.free();
    if (this.#adapter) freeAdapter(this.#engine.gpu, this.#adapter);
  }

  facts(): StudentFacts {
    const { gpu, model, device } = this.#engine;
    const { vendor, architecture, description } = device;
    return {
      model: { id: model.id, parameters: model.parameters, dtype: model.dtype, sha256: model.sha256 },
      adapter: { vendor, architecture, description },
      kernels: gpu.tiles,
      memoryPlan: planMemory(model.config, this.#memoryNeeds()),
      memoryPeak: gpu.counters.peakBytes,
    };
  }

  /** What stays for the whole run, training's passes, and the largest sampling so far. */
  #memoryNeeds(): MemoryNeeds {
    const { dtype } = this.#engine.model;
    const training = this.#adapter && { tokens: this.#trainer?.workspaceTokens ?? PACK_TOKENS, checkpoint: this.#checkpoint };
    return { dtype, lora: this.#adapter?.config ?? null, training, sampling: this.#sampling };
  }

  /** Makes room for the largest sampling so far, and for pairs of its answers: by less that training keeps, and by fewer answers at once. */
  #planSampling(longestPrompt: number, maxNewTokens: number): void {
    const { id, config } = this.#engine.model;
    const { longestPrompt: prompt = 0, maxNewTokens: answer = 0 } = this.#sampling ?? {};
    const largest = { batch: BATCH, longestPrompt: Math.max(prompt, longestPrompt), maxNewTokens: Math.max(answer, maxNewTokens) };
    const { training, ...others } = this.#memoryNeeds();
    const pair = largest.longestPrompt + 2 * largest.maxNewTokens;
    const needs = { ...others, training: training && { ...training, tokens: Math.max(training.tokens, pair) }, sampling: largest };
    const room = { budget: this.#budget ?? Number.POSITIVE_INFINITY, tensor: largestBinding(this.#engine.device) };
    const fitting = planToFit(id, config, needs, room, this.#trainer ? [this.#checkpoint] : undefined); // a trainer has its buffers
    this.#sampling = fitting.sampling;
    this.#checkpoint = fitting.training?.checkpoint ?? this.#checkpoint;
  }
}

function trainOptions(config: RunConfig, totalSteps: number): TrainOptions {
  return {
    lossType: config.loss_type,
    objective: {
      ...DEFAULT_OPTIONS,
      beta: config.beta,
      labelSmoothing: config.label_smoothing,
      rpoAlpha: config.rpo_alpha,
      simpoGamma: config.simpo_gamma,
    },
    schedule: {
      schedule: config.lr_scheduler_type,
      learningRate: config.learning_rate,
      warmupSteps: config.warmup_steps,
      totalSteps,
    },
    optimizer: { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: config.weight_decay, maxGradNorm: config.max_grad_norm },
  };
}
