// What a run must not lose. Everything else (notebook, pairs, quizzes' results, best step, files) follows from it: a run that goes on is
// played through from its beginning, and what is known here is not computed again.
import type { AdapterFile } from "../model/peft.ts";
import type { Answer, StepMetrics } from "../records.ts";
import type { CompletionLogps } from "../train/logps.ts";
import { readLogps, type WrittenLogps } from "../train/references.ts";
import type { StudentMemory } from "./student.ts";

/** Time spent per stage. */
export interface Seconds {
  exam: number;
  analysis: number;
  correction: number;
  quiz: number;
  evaluation: number;
  /** From the start of the run to the end of its first optimiser step; null before that. */
  firstStep: number | null;
}

/** A sitting so far. */
export interface SittingState {
  /** The judged answers of its first problems. */
  readonly answers: Answer[][];
  /** Operations that they took. */
  flops: number;
}

export interface StepState {
  readonly metrics: StepMetrics;
  /** Tokens of the batch. */
  readonly tokens: number;
  /** Operations of the step, and of the references of those of its pairs that no step before it had. */
  readonly flops: number;
  readonly referenceFlops: number;
}

/** Plain data; with a checkpoint's tensors it is all that a run is. */
export interface RunState {
  /** By the sitting's name: "exam", "before", "quiz/12" ... */
  readonly sittings: Map<string, SittingState>;
  /** Optimiser steps, the first one first. */
  readonly steps: StepState[];
  /** What the model without its adapter gives to the answers of pairs, by a key that names all that it depends on. */
  readonly references: Map<string, CompletionLogps>;
  seconds: Seconds;
  /** Most bytes that were in use on the GPU, in whichever process: its counters begin anew with each. */
  memoryPeak: number;
}

/** What is added to the state, as it becomes known. */
export type RunEntry = Spent & RunFinding;

/** What had been spent by then. The first versions' entries lack the peak. */
interface Spent {
  seconds: Seconds;
  memoryPeak?: number;
}

export type RunFinding =
  | { type: "answers"; sitting: string; problem: number; answers: Answer[]; flops: number }
  | ({ type: "reference"; key: string } & WrittenLogps)
  | ({ type: "step" } & StepState);

/** The student after a step, and the best weights that earlier quizzes found. */
export interface RunCheckpoint {
  readonly step: number;
  readonly best: { step: number; weights: AdapterFile } | null;
  readonly student: StudentMemory;
}

/** Who keeps a run safe while it goes on. */
export interface Keeper {
  /** Called before the entry is told to anyone. */
  note(entry: RunEntry): Promise<void>;
  /**
   * Called after every step. Takes a checkpoint when one is due, or in any case where `must` is set (the end of a stage).
   * @param make collects it, which takes a readback
   */
  checkpoint(must: boolean, make: () => Promise<RunCheckpoint>): Promise<void>;
}

/** Keeps nothing. */
export const NO_KEEPER: Keeper = { note: async () => {}, checkpoint: async () => {} };

export function emptyState(): RunState {
  return {
    sittings: new Map(),
    steps: [],
    references: new Map(),
    seconds: { exam: 0, analysis: 0, correction: 0, quiz: 0, evaluation: 0, firstStep: null },
    memoryPeak: 0,
  };
}

/** The sitting of a name, begun where there is none. */
export function sittingOf(state: RunState, name: string): SittingState {
  const known = state.sittings.get(name);
  if (known) return known;
  const begun = { answers: [], flops: 0 };
  state.sittings.set(name, begun);
  return begun;
}

/**
 * Takes an entry into the state. A step that comes again replaces the one before and all after it: a run that went on from an earlier
 * checkpoint takes its later steps anew.
 * @returns false where it does not follow from what is there
 */
export function applyEntry(state: RunState, entry: RunEntry): boolean {
  if (entry.type === "answers") {
    const sitting = sittingOf(state, entry.sitting);
    if (entry.problem !== sitting.answers.length) return false;
    sitting.answers.push(entry.answers);
    sitting.flops += entry.flops;
  } else if (entry.type === "reference") {
    state.references.set(entry.key, readLogps(entry));
  } else {
    const at = entry.metrics.step - 1;
    if (at > state.steps.length) return false;
    const { metrics, tokens, flops, referenceFlops } = entry;
    state.steps.splice(at, Number.POSITIVE_INFINITY, { metrics, tokens, flops, referenceFlops });
  }
  state.seconds = entry.seconds;
  state.memoryPeak = Math.max(state.memoryPeak, entry.memoryPeak ?? 0);
  return true;
}
