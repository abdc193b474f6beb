// DPO-Coder: all passed x failed pairs, shuffled once.
import { shuffled, streamOf } from "../random.ts";
import type { NotebookProblem } from "../records.ts";
import type { Curriculum } from "./curriculum.ts";
import { allPairs, inFixedOrder } from "./static_pairs.ts";

export function dpo(problems: readonly NotebookProblem[], seed: number): Curriculum {
  return inFixedOrder(shuffled(allPairs(problems), seed, streamOf("draw/pairs")), problems);
}
