// Which problems are trained on, quizzed and evaluated, for files that do not say so themselves.
import { streamOf, uniform } from "../random.ts";
import type { Split } from "./problem.ts";

/** 60 % train, 15 % validation, 25 % evaluation by a hash of seed and task id: adding a problem moves no other. */
export function splitByHash(seed: number, taskId: string): Split {
  const u = uniform(seed, streamOf(`split/${taskId}`), 0);
  if (u < 0.6) return "train";
  return u < 0.75 ? "validation" : "evaluation";
}

/** The paper's MBPP split: training ids 601-974 and 1-10, validation 511-600; 11-510 are left to evaluate on. */
export function mbppSplit(id: number): Split {
  if (id <= 10 || id >= 601) return "train";
  return id >= 511 ? "validation" : "evaluation";
}
