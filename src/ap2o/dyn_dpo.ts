// Dyn-DPO-Coder: every epoch a random passed and a random failed answer of each problem.
import { integer, streamOf } from "../random.ts";
import type { NotebookProblem } from "../records.ts";
import { type Curriculum, chosenAt, type PairDraw, problemsInEpochs } from "./curriculum.ts";

export function dynDpo(problems: readonly NotebookProblem[], seed: number): Curriculum {
  const problemOf = problemsInEpochs(problems.length, seed);
  const pairAt = (index: number): PairDraw => {
    const problem = problemOf(index);
    const { failed } = problems[problem]!;
    const { sample_index, error_type } = failed[integer(seed, streamOf("draw/rejected"), index, failed.length)]!;
    return {
      problem,
      chosen: chosenAt(index, problems[problem]!, seed),
      rejected: sample_index,
      error_type,
      epoch: index / problems.length,
      window: [0, failed.length],
      width: failed.length,
      source: "window",
      probability: 1 / failed.length,
    };
  };
  return { pairsPerEpoch: problems.length, pairAt };
}
