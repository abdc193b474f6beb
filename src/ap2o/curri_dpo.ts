// Curri-DPO-Coder: all passed x failed pairs, those with rare errors first, over all problems; not shuffled.
import { type Counts, countOf } from "../counts.ts";
import type { NotebookProblem } from "../records.ts";
import type { Curriculum } from "./curriculum.ts";
import { allPairs, inFixedOrder, type StaticPair } from "./static_pairs.ts";

/** @param counts failures by type over all problems */
export function curriDpo(problems: readonly NotebookProblem[], counts: Counts): Curriculum {
  const frequency = ({ problem, failed }: StaticPair) => countOf(counts, problems[problem]!.failed[failed]!.error_type);
  const pairs = allPairs(problems).sort((a, b) => frequency(a) - frequency(b));
  return inFixedOrder(pairs, problems);
}
