// The methods by the names that the command line and the page use.

import type { Notebook } from "../records.ts";
import { ap2o } from "./ap2o.ts";
import { curriDpo } from "./curri_dpo.ts";
import type { Curriculum } from "./curriculum.ts";
import { dpo } from "./dpo.ts";
import { dynDpo } from "./dyn_dpo.ts";
import type { Counts, Order, Rule } from "./notebook.ts";
import { sft } from "./sft.ts";

export const METHODS = [
  "ap2o-h2l",
  "ap2o-l2h",
  "ap2o-h2l-noreplay",
  "ap2o-l2h-noreplay",
  "dyn-dpo",
  "dpo",
  "curri-dpo",
  "sft",
  "iterpref",
] as const;
export type Method = (typeof METHODS)[number];

export interface CurriculumOptions {
  seed: number;
  rule: Rule;
  /** Pairs that the whole run draws: with the number of problems it gives AP2O's epochs. */
  totalPairs: number;
}

/** The data of `method` from the exam's notebook, which must hold at least one problem. (IterPref makes its own pairs: iterpref.ts.) */
export function curriculumOf(
  method: Exclude<Method, "iterpref">,
  notebook: Notebook,
  { seed, rule, totalPairs }: CurriculumOptions,
): Curriculum {
  const { problems } = notebook;
  const progressive = (order: Order, replay: boolean) =>
    ap2o(problems, { seed, rule, order, replay, epochs: epochsOf(totalPairs, problems.length), countsOf: countsFor(notebook) });
  switch (method) {
    case "ap2o-h2l":
      return progressive("high_to_low", true);
    case "ap2o-l2h":
      return progressive("low_to_high", true);
    case "ap2o-h2l-noreplay":
      return progressive("high_to_low", false);
    case "ap2o-l2h-noreplay":
      return progressive("low_to_high", false);
    case "dyn-dpo":
      return dynDpo(problems, seed);
    case "dpo":
      return dpo(problems, seed);
    case "curri-dpo":
      return curriDpo(problems, notebook.counts);
    case "sft":
      return sft(problems, seed);
  }
}

/** Whether the quiz's errors steer the draws. */
export function hasReplay(method: Method): boolean {
  return method === "ap2o-h2l" || method === "ap2o-l2h";
}

/** Epochs of a run of `totalPairs` pairs, one per problem and epoch; rounded up, so that the window ends at the list's end. */
export function epochsOf(totalPairs: number, problems: number): number {
  return Math.max(1, Math.ceil(totalPairs / problems));
}

/** The counts that order a problem's failed answers. */
export function countsFor(notebook: Notebook): (problem: Notebook["problems"][number]) => Counts {
  return notebook.scope === "corpus" ? () => notebook.counts : (problem) => problem.counts;
}
