// What every method of training data has in common: from a pair's number to the pair. A curriculum keeps no state, so a run can
// begin at any step; all its draws are functions of (seed, pair number).
import type { Counts } from "../counts.ts";
import { integer, shuffled, streamOf } from "../random.ts";
import type { NotebookProblem } from "../records.ts";
import type { Window } from "./window.ts";

/** One training pair, by sample indices of its problem. */
export interface PairDraw {
  /** Index into the notebook's problems. */
  problem: number;
  chosen: number;
  /** null where there is none (SFT). */
  rejected: number | null;
  /** The rejected answer's error type; "" for SFT. */
  error_type: string;
  /** Fractional epoch at which the pair was drawn. */
  epoch: number;
  /** [from, to) in the method's own order of the problem's failed answers. */
  window: Window;
  /** The window's width before rounding. */
  width: number;
  source: "window" | "replay";
  /** The chance with which the rejected answer (SFT: the chosen one) was drawn. */
  probability: number;
  /** IterPref: how the pair was made. */
  origin?: "codeflow" | "fallback";
  /** Its number, where that is not the one that it was asked for by. */
  pair?: number;
}

/** What a draw may depend on besides its number. */
export interface Moment {
  /** Number of the first pair of the batch. */
  batchStart: number;
  /** Failures by type in the last quiz that counts; null before it. */
  quizErrors: Counts | null;
}

export interface Curriculum {
  readonly pairsPerEpoch: number;
  /** How many epochs the windows take from one end of the failed answers to the other; absent where there are none. */
  readonly epochs?: number;
  /** Pair number `index`, from 0. */
  pairAt(index: number, moment: Moment): PairDraw;
  /** Whole windows: how many pairs there are in all, and what is replayed beside pair `index`, or null. */
  readonly turns?: number;
  replayAt?(index: number, moment: Moment): PairDraw | null;
}

/**
 * The problem of each pair, by its number, where every epoch draws one pair per problem: a shuffle of its own for each epoch. The
 * latest epoch's is kept: to shuffle for every pair would take time with the square of the problems.
 */
export function problemsInEpochs(problems: number, seed: number): (index: number) => number {
  let latest = { epoch: -1, order: [0] };
  return (index) => {
    const epoch = Math.floor(index / problems);
    if (epoch !== latest.epoch) {
      const inOrder = Array.from({ length: problems }, (_, i) => i);
      latest = { epoch, order: shuffled(inOrder, seed, streamOf(`draw/problems/${epoch}`)) };
    }
    return latest.order[index % problems]!;
  };
}

/** A chosen answer, uniformly from the problem's passed ones. */
export function chosenAt(index: number, problem: NotebookProblem, seed: number): number {
  return problem.passed[integer(seed, streamOf("draw/chosen"), index, problem.passed.length)]!;
}
