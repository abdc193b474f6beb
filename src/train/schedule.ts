// Learning-rate schedules, by transformers' optimization.py (get_linear_schedule_with_warmup and its siblings).

import { InputError } from "../input_error.ts";

export const SCHEDULES = ["linear", "cosine", "constant", "constant_with_warmup"] as const;
export type Schedule = (typeof SCHEDULES)[number];

export interface ScheduleOptions {
  /** As in transformers, `constant` has no warm-up, whatever warmupSteps says; `constant_with_warmup` has. */
  schedule: Schedule;
  /** The highest rate. */
  learningRate: number;
  /** A number of steps, or a share of totalSteps below 1, rounded up. */
  warmupSteps: number;
  totalSteps: number;
}

/** Steps of warm-up: a share below 1 of all steps is rounded up (transformers' get_warmup_steps). */
export function warmupStepCount(warmupSteps: number, totalSteps: number): number {
  if (!(warmupSteps >= 0) || (warmupSteps >= 1 && !Number.isInteger(warmupSteps))) {
    throw new InputError(`warmup_steps ${warmupSteps}: expected a whole number of steps, or a share below 1.`);
  }
  return warmupSteps < 1 ? Math.ceil(totalSteps * warmupSteps) : warmupSteps;
}

/**
 * The learning rate of a step.
 * @param step counted from 0
 */
export function learningRate(step: number, options: ScheduleOptions): number {
  const { schedule, totalSteps } = options;
  if (schedule === "constant") return options.learningRate;
  const warmup = warmupStepCount(options.warmupSteps, totalSteps);
  if (step < warmup) return options.learningRate * (step / Math.max(1, warmup));
  return options.learningRate * share(schedule, step - warmup, totalSteps - warmup);
}

/** What is left of the highest rate after `done` of `all` steps beyond the warm-up. */
function share(schedule: Exclude<Schedule, "constant">, done: number, all: number): number {
  switch (schedule) {
    case "constant_with_warmup":
      return 1;
    case "linear":
      return Math.max(0, (all - done) / Math.max(1, all));
    case "cosine":
      return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * (done / Math.max(1, all)))));
  }
}
