// Who sits the exam: what the method needs of the model, and nothing of how it computes.
import type { AdapterFile } from "../model/peft.ts";
import type { StepMetrics } from "../records.ts";
import type { RenderChat } from "../tasks/prompt.ts";
import type { ReferenceStore } from "../train/references.ts";
import type { TrainerMemory } from "../train/trainer.ts";
import type { RunConfig } from "./config.ts";
import type { DiffUnit } from "./focal_diff.ts";

/** A question to answer; the stream number keys its random draws. */
export interface Ask {
  readonly prompt: string;
  readonly stream: number;
}

export interface AskOptions {
  readonly temperature: number;
  readonly maxNewTokens: number;
  readonly seed: number;
  readonly stop: readonly string[];
  /** The adapter on (as trained so far), or off: the model as it was. */
  readonly trained: boolean;
}

export interface Written {
  /** Index into the questions. */
  readonly index: number;
  readonly text: string;
  readonly ended: "stop" | "end_token" | "length";
  /** Operations of writing it, and of reading its question, which its answers share. */
  readonly flops: number;
  readonly promptFlops: number;
}

/** All that a student is besides its model: what another one needs to go on in its place. */
export interface StudentMemory extends TrainerMemory {
  readonly weights: AdapterFile;
}

/** A pair as text; no rejected answer for SFT. */
export interface Lesson {
  readonly prompt: string;
  readonly chosen: string;
  readonly rejected?: string;
  /** Focal loss: per token of the answer 1 where it counts; all count where a mask is absent. */
  readonly chosen_mask?: readonly number[];
  readonly rejected_mask?: readonly number[];
}

/** What differs between the two answers of a pair, token by token, and how long prompt and longer answer are. */
export interface Differences {
  readonly chosen: number[];
  readonly rejected: number[];
  /** The differing tokens' places [from, to) in the answers' texts, neighbours joined. */
  readonly chosenPlaces: [number, number][];
  readonly rejectedPlaces: [number, number][];
  readonly tokens: number;
}

/** What an optimiser step reports: TRL's names, and the work that it was. */
export type LessonMetrics = Omit<StepMetrics, "step" | "epoch" | "tokens_per_second"> & LessonWork;

export interface LessonWork {
  /** Of the batch, prompts and both answers. */
  readonly tokens: number;
  /** Operations of the step, references apart. */
  readonly flops: number;
  /** Operations of each lesson's reference, which is needed once in a run. */
  readonly referenceFlops: readonly number[];
}

/** What run.json says of model, adapter, kernels and memory. */
export interface StudentFacts extends Record<string, unknown> {
  /** Most bytes that were in use on its GPU. */
  readonly memoryPeak: number;
}

export interface Student {
  readonly renderChat: RenderChat;
  /** Before a sitting, whether or not any of it is still to be written: plans memory for it. */
  prepare(prompts: readonly string[], maxNewTokens: number): void;
  /** Answers in the order in which they finish. */
  write(questions: readonly Ask[], options: AskOptions): AsyncIterable<Written>;
  /** The tokens of a pair's answers that differ, as `learn` will count them. */
  compare(pair: Required<Pick<Lesson, "prompt" | "chosen" | "rejected">>, unit: DiffUnit): Differences;
  /**
   * Before the first lesson: sets up the optimiser for a run of `totalSteps` steps.
   * @param references where what the model without its adapter gives to a lesson is kept, so that it is computed once
   */
  begin(config: RunConfig, totalSteps: number, references: ReferenceStore): void;
  /** One optimiser step on the batch. */
  learn(batch: readonly Lesson[]): Promise<LessonMetrics>;
  /** The adapter's weights now, and back to weights of before. */
  weights(): Promise<AdapterFile>;
  recall(weights: AdapterFile): void;
  /** Once the lessons have begun: everything there is to remember, and back to it. */
  memory(): Promise<StudentMemory>;
  remember(memory: StudentMemory): void;
  facts(): StudentFacts;
}
