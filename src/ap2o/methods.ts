// The methods by the names that the command line and the page use.

import type { Counts } from "../counts.ts";
import type { Notebook } from "../records.ts";
import { ap2o } from "./ap2o.ts";
import { curriDpo } from "./curri_dpo.ts";
import type { Curriculum } from "./curriculum.ts";
import { dpo } from "./dpo.ts";
import { dynDpo } from "./dyn_dpo.ts";
import type { Order, Rule } from "./notebook.ts";
import { sft } from "./sft.ts";
import { turnsByEpoch, wholeWindows } from "./whole_windows.ts";

export const METHODS = [
  "ap2o-h2l",
  "ap2o-l2h",
  "ap2o-h2l-noreplay",
  "ap2o-l2h-noreplay",
  "dyn-dpo",
  "dpo",
  "curri-dpo",
  "sft",
  "iterpref",
] as const;
export type Method = (typeof METHODS)[number];

/** 1: one pair per problem and epoch (the code). window: every failed answer of the window once (the paper's figure 1). */
export const PAIRS_PER_EPOCH = [1, "window"] as const;
export type PairsPerEpoch = (typeof PAIRS_PER_EPOCH)[number];

export interface CurriculumOptions {
  seed: number;
  rule: Rule;
  /** Pairs that the whole run draws: with the number of problems it gives AP2O's epochs, where a problem has one pair in each. */
  totalPairs: number;
  /** AP2O: one pair per problem and epoch, or the whole window in each of so many epochs. */
  pairs_per_epoch: PairsPerEpoch;
  epochs: number;
}

/** The data of `method` from the exam's notebook, which must hold at least one problem. (IterPref makes its own pairs: iterpref.ts.) */
export function curriculumOf(
  method: Exclude<Method, "iterpref">,
  notebook: Notebook,
  { seed, rule, totalPairs, pairs_per_epoch, epochs }: CurriculumOptions,
): Curriculum {
  const { problems } = notebook;
  const progressive = (order: Order, replay: boolean) => {
    const options = { seed, order, replay, countsOf: countsFor(notebook) };
    if (pairs_per_epoch === "window") return wholeWindows(problems, { ...options, epochs });
    return ap2o(problems, { ...options, rule, epochs: epochsOf(totalPairs, problems.length) });
  };
  switch (method) {
    case "ap2o-h2l":
      return progressive("high_to_low", true);
    case "ap2o-l2h":
      return progressive("low_to_high", true);
    case "ap2o-h2l-noreplay":
      return progressive("high_to_low", false);
    case "ap2o-l2h-noreplay":
      return progressive("low_to_high", false);
    case "dyn-dpo":
      return dynDpo(problems, seed);
    case "dpo":
      return dpo(problems, seed);
    case "curri-dpo":
      return curriDpo(problems, notebook.counts, { seed, rule });
    case "sft":
      return sft(problems, seed);
  }
}

/** Whether the method slides windows over the failed answers. */
export function hasWindows(method: Method): boolean {
  return method.startsWith("ap2o-");
}

/** Whether the quiz's errors steer the draws. */
export function hasReplay(method: Method): boolean {
  return method === "ap2o-h2l" || method === "ap2o-l2h";
}

/** Optimiser steps between two quizzes of the methods whose epoch is all their pairs (the code's). */
const STATIC_QUIZ_STEPS = 100;

/** Whether an epoch of the method is all its pairs, and a run (where no number of steps is asked for) one such epoch. */
function isStatic(method: Method): boolean {
  return method === "dpo" || method === "curri-dpo";
}

/** Of a run's settings those that say how long it is. */
interface Length {
  readonly method: Method;
  readonly steps: number;
  readonly epochs: number;
  readonly batch_size: number;
  readonly quiz_steps: number;
  readonly pairs_per_epoch: PairsPerEpoch;
}

/**
 * Optimiser steps of a run: as many as asked for; else `epochs` of one pair per problem, or once over all pairs (DPO, Curri-DPO). Whole
 * windows take as many as they take, and `steps` at most.
 */
export function totalSteps({ method, steps, epochs, batch_size, pairs_per_epoch }: Length, { problems }: Notebook): number {
  if (pairs_per_epoch === "window") {
    const turns = turnsByEpoch(problems, epochs).reduce((sum, size) => sum + size, 0);
    return Math.min(Math.ceil(turns / batch_size), steps || Number.POSITIVE_INFINITY);
  }
  if (steps > 0) return steps;
  const pairs = isStatic(method)
    ? problems.reduce((sum, { passed, failed }) => sum + passed.length * failed.length, 0)
    : epochs * problems.length;
  return Math.ceil(pairs / batch_size);
}

/** Optimiser steps between two quizzes: as asked for; else an epoch, or 100 (DPO, Curri-DPO). */
export function quizSteps({ method, quiz_steps, batch_size }: Length, pairsPerEpoch: number): number {
  if (quiz_steps > 0) return quiz_steps;
  return isStatic(method) ? STATIC_QUIZ_STEPS : Math.max(1, Math.round(pairsPerEpoch / batch_size));
}

/** Epochs of a run of `totalPairs` pairs, one per problem and epoch; rounded up, so that the window ends at the list's end. */
export function epochsOf(totalPairs: number, problems: number): number {
  return Math.max(1, Math.ceil(totalPairs / problems));
}

/** The counts that order a problem's failed answers. */
export function countsFor(notebook: Notebook): (problem: Notebook["problems"][number]) => Counts {
  return notebook.scope === "corpus" ? () => notebook.counts : (problem) => problem.counts;
}
