// The static methods' data: every passed with every failed answer of each problem, again and again.
import { shuffled, streamOf } from "../random.ts";
import type { NotebookProblem } from "../records.ts";
import type { Curriculum, PairDraw } from "./curriculum.ts";

/** One pair of a static list; `failed` is an index into the problem's failed answers. */
export interface StaticPair {
  problem: number;
  chosen: number;
  failed: number;
}

/** Problem by problem, inside each chosen answer the failed ones in the notebook's order: rare errors first. */
export function allPairs(problems: readonly NotebookProblem[]): StaticPair[] {
  return problems.flatMap(({ passed, failed }, problem) =>
    passed.flatMap((chosen) => failed.map((_, index) => ({ problem, chosen, failed: index }))),
  );
}

/** A curriculum that goes through `pairs` again and again. */
export function inFixedOrder(pairs: readonly StaticPair[], problems: readonly NotebookProblem[]): Curriculum {
  return inOrders(pairs.length, () => pairs, problems);
}

/** A curriculum that goes through `pairs` in an order of its own in every epoch, as the code's trainer does. */
export function reshuffled(pairs: readonly StaticPair[], problems: readonly NotebookProblem[], seed: number): Curriculum {
  let latest = { epoch: -1, order: pairs };
  const orderOf = (epoch: number) => {
    if (epoch !== latest.epoch) latest = { epoch, order: shuffled(pairs, seed, streamOf(`draw/trainer/${epoch}`)) };
    return latest.order;
  };
  return inOrders(pairs.length, orderOf, problems);
}

/** @param orderOf the `count` pairs of an epoch, in their order */
function inOrders(count: number, orderOf: (epoch: number) => readonly StaticPair[], problems: readonly NotebookProblem[]): Curriculum {
  const pairAt = (index: number): PairDraw => {
    const { problem, chosen, failed } = orderOf(Math.floor(index / count))[index % count]!;
    const all = problems[problem]!.failed;
    return {
      problem,
      chosen,
      rejected: all[failed]!.sample_index,
      error_type: all[failed]!.error_type,
      epoch: index / count,
      window: [0, all.length],
      width: all.length,
      source: "window",
      probability: 1 / all.length,
    };
  };
  return { pairsPerEpoch: count, pairAt };
}
