// AP2O with whole windows (the paper's figure 1): an epoch goes through every failed answer of every problem's window once, all problems
// shuffled together. Once a quiz has found errors, a replayed answer of the same problem stands beside each of them: as many as the
// window holds. How long a run is so does not depend on what the quizzes find.
import { shuffled, streamOf, uniform } from "../random.ts";
import type { NotebookProblem } from "../records.ts";
import { type Ap2oOptions, inOwnOrder } from "./ap2o.ts";
import { type Curriculum, chosenAt, type Moment, type PairDraw } from "./curriculum.ts";
import { drawRejected, replayDraws } from "./replay.ts";
import { type Window, windowAt } from "./window.ts";

/** A failed answer's turn: the problem's index, and the answer's place in the problem's order. */
interface Turn {
  readonly problem: number;
  readonly at: number;
}

/** The window of a whole epoch; the last one ends with the list, whatever its doubles were rounded to. */
function wholeWindowAt(failed: number, epochs: number, epoch: number): Window {
  const [from, to] = windowAt(failed, epochs, epoch);
  return [from, epoch === epochs - 1 ? failed : to];
}

/** How many failed answers have their turn in each epoch. */
export function turnsByEpoch(problems: readonly NotebookProblem[], epochs: number): number[] {
  const size = ([from, to]: Window) => to - from;
  return Array.from({ length: epochs }, (_, epoch) =>
    problems.reduce((sum, { failed }) => sum + size(wholeWindowAt(failed.length, epochs, epoch)), 0),
  );
}

/** By the paper's rule; the code has no whole windows. Turn number `index` is pair 2 * index, what is replayed beside it the pair after. */
export function wholeWindows(problems: readonly NotebookProblem[], options: Omit<Ap2oOptions, "rule">): Curriculum {
  const { seed, replay, epochs } = options;
  const ordered = problems.map((problem) => inOwnOrder(problem, { ...options, rule: "paper" }));
  const sizes = turnsByEpoch(problems, epochs);
  const starts = sizes.map((_, epoch) => sizes.slice(0, epoch).reduce((sum, size) => sum + size, 0));
  const windowOf = (problem: number, epoch: number) => wholeWindowAt(ordered[problem]!.length, epochs, epoch);

  let latest: { epoch: number; turns: Turn[] } = { epoch: -1, turns: [] };
  const turnsOf = (epoch: number): Turn[] => {
    if (epoch !== latest.epoch) {
      const inOrder = ordered.flatMap((_, problem) => {
        const [from, to] = windowOf(problem, epoch);
        return Array.from({ length: to - from }, (_, i): Turn => ({ problem, at: from + i }));
      });
      latest = { epoch, turns: shuffled(inOrder, seed, streamOf(`draw/turns/${epoch}`)) };
    }
    return latest.turns;
  };

  const turnAt = (index: number) => {
    const epoch = starts.findLastIndex((start) => start <= index);
    const { problem, at } = turnsOf(epoch)[index - starts[epoch]!]!;
    return { problem, at, window: windowOf(problem, epoch), epoch: epoch + (index - starts[epoch]!) / sizes[epoch]! };
  };
  const pairOf = (
    { problem, window, epoch }: ReturnType<typeof turnAt>,
    { at, pair, source, probability }: Pick<PairDraw, "source" | "probability"> & { at: number; pair: number },
  ): PairDraw => {
    const failed = ordered[problem]!;
    const { sample_index, error_type } = failed[at]!;
    const chosen = chosenAt(pair, problems[problem]!, seed);
    return { problem, chosen, rejected: sample_index, error_type, epoch, window, width: failed.length / epochs, source, probability, pair };
  };
  const pairAt = (index: number): PairDraw => {
    const turn = turnAt(index);
    return pairOf(turn, { at: turn.at, pair: 2 * index, source: "window", probability: 1 });
  };
  const replayAt = (index: number, { quizErrors }: Moment): PairDraw | null => {
    const turn = turnAt(index);
    const [from, to] = turn.window;
    const types = ordered[turn.problem]!.map(({ error_type }) => error_type);
    const draws = replayDraws("paper", types, to - from, replay ? quizErrors : null);
    if (draws.size === 0) return null;
    const pair = 2 * index + 1;
    const stream = streamOf("draw/rejected");
    const u = [uniform(seed, stream, 2 * pair), uniform(seed, stream, 2 * pair + 1)] as const;
    const { index: at, source, probability } = drawRejected(types, [0, 0], draws, u); // from what is replayed alone
    return pairOf(turn, { at, pair, source, probability });
  };
  const turns = sizes.reduce((sum, size) => sum + size, 0);
  return { pairsPerEpoch: turns / epochs, epochs, pairAt, turns, replayAt };
}
