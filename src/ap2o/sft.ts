// SFT-Coder: one random passed answer per problem and epoch, no rejected one.
import type { NotebookProblem } from "../records.ts";
import { type Curriculum, chosenAt, type PairDraw, problemAt } from "./curriculum.ts";

export function sft(problems: readonly NotebookProblem[], seed: number): Curriculum {
  const pairAt = (index: number): PairDraw => {
    const problem = problemAt(index, problems.length, seed);
    return {
      problem,
      chosen: chosenAt(index, problems[problem]!, seed),
      rejected: null,
      error_type: "",
      epoch: index / problems.length,
      window: [0, 0],
      width: 0,
      source: "window",
      probability: 1 / problems[problem]!.passed.length,
    };
  };
  return { pairsPerEpoch: problems.length, pairAt };
}
