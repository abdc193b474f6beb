// The static methods' data: every passed with every failed answer of each problem, in one fixed order that repeats.
import type { NotebookProblem } from "../records.ts";
import type { Curriculum, PairDraw } from "./curriculum.ts";

/** One pair of a static list; `failed` is an index into the problem's failed answers. */
export interface StaticPair {
  problem: number;
  chosen: number;
  failed: number;
}

export function allPairs(problems: readonly NotebookProblem[]): StaticPair[] {
  return problems.flatMap(({ passed, failed }, problem) =>
    passed.flatMap((chosen) => failed.map((_, index) => ({ problem, chosen, failed: index }))),
  );
}

/** A curriculum that goes through `pairs` again and again. */
export function inFixedOrder(pairs: readonly StaticPair[], problems: readonly NotebookProblem[]): Curriculum {
  const pairAt = (index: number): PairDraw => {
    const { problem, chosen, failed } = pairs[index % pairs.length]!;
    const all = problems[problem]!.failed;
    return {
      problem,
      chosen,
      rejected: all[failed]!.sample_index,
      error_type: all[failed]!.error_type,
      epoch: index / pairs.length,
      window: [0, all.length],
      width: all.length,
      source: "window",
      probability: 1 / all.length,
    };
  };
  return { pairsPerEpoch: pairs.length, pairAt };
}
