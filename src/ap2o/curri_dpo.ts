// Curri-DPO-Coder: all passed x failed pairs, those with rare errors first, over all problems; not shuffled. The public code orders them per
// problem, inside each chosen answer, and its trainer then shuffles them all in every epoch, so that nothing of the order is left.
import { type Counts, countOf } from "../counts.ts";
import type { NotebookProblem } from "../records.ts";
import type { Curriculum } from "./curriculum.ts";
import type { Rule } from "./notebook.ts";
import { allPairs, inFixedOrder, reshuffled, type StaticPair } from "./static_pairs.ts";

/** @param counts failures by type over all problems */
export function curriDpo(problems: readonly NotebookProblem[], counts: Counts, { seed, rule }: { seed: number; rule: Rule }): Curriculum {
  const pairs = allPairs(problems);
  if (rule === "reference") return reshuffled(pairs, problems, seed);
  const frequency = ({ problem, failed }: StaticPair) => countOf(counts, problems[problem]!.failed[failed]!.error_type);
  pairs.sort((a, b) => frequency(a) - frequency(b));
  return inFixedOrder(pairs, problems);
}
