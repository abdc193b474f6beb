// Which problems are trained on, quizzed and evaluated, for files that do not say so themselves.

import { InputError } from "../input_error.ts";
import { streamOf, uniform } from "../random.ts";
import type { Problem, Split } from "./problem.ts";

/** Which split keeps a problem that two have: what is trained on is not to be evaluated. */
const PRECEDENCE: readonly Split[] = ["train", "validation", "evaluation"];

/** 60 % train, 15 % validation, 25 % evaluation by a hash of seed and task id: adding a problem moves no other. */
export function splitByHash(seed: number, taskId: string): Split {
  const u = uniform(seed, streamOf(`split/${taskId}`), 0);
  if (u < 0.6) return "train";
  return u < 0.75 ? "validation" : "evaluation";
}

/**
 * A file of a few problems that names no splits may leave one empty by chance, and a run needs all three: it is then given a problem
 * of the fullest one, its last. Files that name their splits, or have fewer than three problems, stay as they are.
 */
export function withoutEmptySplits(problems: readonly Problem[], unnamed: ReadonlySet<string>): Problem[] {
  const dealt = [...problems];
  if (unnamed.size < problems.length || problems.length < PRECEDENCE.length) return dealt;
  const count = (name: Split) => dealt.filter(({ split }) => split === name).length;
  for (const name of PRECEDENCE.filter((candidate) => count(candidate) === 0)) {
    const fullest = PRECEDENCE.reduce((a, b) => (count(b) > count(a) ? b : a));
    const at = dealt.findLastIndex(({ split }) => split === fullest);
    dealt[at] = { ...dealt[at]!, split: name };
  }
  return dealt;
}

/**
 * Deals the problems of a file whose format has one split alone, for a run, which needs three: by the same hash. One with the text or the
 * tests of another goes where that went, so that nothing leaks.
 */
export function dealtOut(problems: readonly Problem[], seed: number): Problem[] {
  const seen = new Map<string, Split>();
  const dealt = problems.map((problem) => {
    const prints = fingerprints(problem);
    const twin = prints.map((print) => seen.get(print)).find((other) => other !== undefined);
    const split = twin ?? splitByHash(seed, problem.taskId);
    for (const print of prints) if (!seen.has(print)) seen.set(print, split);
    return { ...problem, split };
  });
  return withoutEmptySplits(dealt, new Set(dealt.map(({ taskId }) => taskId)));
}

/** The paper's MBPP split: training ids 601-974 and 1-10, validation 511-600; 11-510 are left to evaluate on. */
export function mbppSplit(id: number): Split {
  if (id <= 10 || id >= 601) return "train";
  return id >= 511 ? "validation" : "evaluation";
}

/**
 * Refuses splits that share a problem: the same text or the same tests. MBPP's published split has three texts twice (216, 217 and
 * 248 are 872, 602 and 704 again); it stays as it is but for those, which are left out of the later split, with a warning.
 * @throws InputError that names the two problems
 */
export function withoutLeaks(split: Record<Split, Problem[]>): { kept: Record<Split, Problem[]>; warning: string | null } {
  const seen = new Map<string, Problem>();
  const dropped: string[] = [];
  const kept = { train: [...split.train], validation: [...split.validation], evaluation: [...split.evaluation] };
  for (const name of PRECEDENCE) {
    kept[name] = split[name].filter((problem) => {
      const twin = fingerprints(problem)
        .map((print) => seen.get(print))
        .find((other) => other !== undefined && other.split !== name);
      for (const print of fingerprints(problem)) if (!seen.has(print)) seen.set(print, problem);
      if (!twin) return true;
      if (!problem.taskId.startsWith("Mbpp/")) {
        throw new InputError(
          `${twin.taskId} (${twin.split}) and ${problem.taskId} (${name}) have the same text or the same tests: drop one of them, or give both the same split.`,
        );
      }
      dropped.push(`${problem.taskId} (as ${twin.taskId})`);
      return false;
    });
  }
  const warning = dropped.length === 0 ? null : `Left out, as their texts are also trained on: ${dropped.join(", ")}.`;
  return { kept, warning };
}

/** What must not be in two splits: the text and the tests, whatever the spaces. */
function fingerprints({ text, prompt, tests, suite }: Problem): string[] {
  const plain = (words: string) => words.replace(/\s+/g, " ").trim();
  return [`text ${plain(text ?? prompt)}`, `tests ${suite ? JSON.stringify(suite) : tests.map(plain).join("\n")}`];
}
