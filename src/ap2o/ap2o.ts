// AP2O: the window slides over each problem's failed answers in the order of their errors' frequency; half of the draws replay
// what the quiz still finds.
import type { Counts } from "../counts.ts";
import { streamOf, uniform } from "../random.ts";
import type { NotebookProblem } from "../records.ts";
import { type Curriculum, chosenAt, type Moment, type PairDraw, problemsInEpochs } from "./curriculum.ts";
import { type Order, orderFailed, type Rule } from "./notebook.ts";
import { drawRejected, replayDraws } from "./replay.ts";
import { mirrored, windowAt } from "./window.ts";

export interface Ap2oOptions {
  seed: number;
  rule: Rule;
  order: Order;
  replay: boolean;
  epochs: number;
  /** The counts that order the failed answers: the problem's own, or the corpus's. */
  countsOf: (problem: NotebookProblem) => Counts;
}

/** One pair per problem and epoch; `problems` are the notebook's, failed answers low to high. */
export function ap2o(problems: readonly NotebookProblem[], options: Ap2oOptions): Curriculum {
  const { seed, rule, replay, epochs } = options;
  const ordered = problems.map((problem) => inOwnOrder(problem, options));
  const problemOf = problemsInEpochs(problems.length, seed);
  const pairAt = (index: number, { batchStart, quizErrors }: Moment): PairDraw => {
    const problem = problemOf(index);
    const failed = ordered[problem]!;
    const epoch = (rule === "paper" ? index : batchStart) / problems.length;
    const lowToHigh = windowAt(failed.length, epochs, epoch);
    const window = rule === "reference" && options.order === "high_to_low" ? mirrored(lowToHigh, failed.length) : lowToHigh;
    const types = failed.map(({ error_type }) => error_type);
    const draws = replayDraws(rule, types, window[1] - window[0], replay ? quizErrors : null);
    const stream = streamOf("draw/rejected");
    const u = [uniform(seed, stream, 2 * index), uniform(seed, stream, 2 * index + 1)] as const;
    const rejected = drawRejected(types, window, draws, u);
    return {
      problem,
      chosen: chosenAt(index, problems[problem]!, seed),
      rejected: failed[rejected.index]!.sample_index,
      error_type: failed[rejected.index]!.error_type,
      epoch,
      window,
      width: failed.length / epochs,
      source: rejected.source,
      probability: rejected.probability,
    };
  };
  return { pairsPerEpoch: problems.length, epochs, pairAt };
}

/** The notebook's order for low to high (and for the reference, which mirrors the window instead), else its descending twin. */
export function inOwnOrder(
  problem: NotebookProblem,
  { rule, order, countsOf }: Pick<Ap2oOptions, "rule" | "order" | "countsOf">,
): NotebookProblem["failed"] {
  if (order === "low_to_high" || rule === "reference") return problem.failed;
  const byAppearance = [...problem.failed].sort((a, b) => a.sample_index - b.sample_index);
  return orderFailed(byAppearance, countsOf(problem), order, rule);
}
