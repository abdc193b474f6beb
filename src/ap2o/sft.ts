// SFT-Coder: one random passed answer per problem and epoch, no rejected one.
import type { NotebookProblem } from "../records.ts";
import { type Curriculum, chosenAt, type PairDraw, problemsInEpochs } from "./curriculum.ts";

export function sft(problems: readonly NotebookProblem[], seed: number): Curriculum {
  const problemOf = problemsInEpochs(problems.length, seed);
  const pairAt = (index: number): PairDraw => {
    const problem = problemOf(index);
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
