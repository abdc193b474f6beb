// The error notebook: which problems are worth training on, and their failed answers ordered by how frequent the error is.
import { addCount, type Counts, countEach, countOf } from "../counts.ts";
import type { Answer, Notebook, NotebookProblem } from "../records.ts";

/** paper: as the paper describes it. reference: as its public code does it. */
export type Rule = "paper" | "reference";
/** Whether an error is frequent within its problem or over all problems. */
export type Scope = "problem" | "corpus";
export type Order = "low_to_high" | "high_to_low";

/** What the notebook needs to know of an answer. */
export type Graded = Pick<Answer, "solution" | "error_type" | "verdict" | "ended" | "sample_index">;

/** One problem's answers, sorted out. Indices point into the answers given. */
export interface Sorted {
  /** Failures by type, before equal texts are dropped. */
  counts: Counts;
  /** The first answer of each text; passed and failed together are these, but for answers that may not be trained on. */
  kept: number[];
  passed: number[];
  failed: number[];
  /** Why the problem is not trained on, or null. */
  dropped: string | null;
}

/** The error type the method goes by: the raw class; the reference's guard makes `exit()` a TypeError. */
export function errorTypeOf(answer: Pick<Answer, "error_type" | "verdict">, rule: Rule): string {
  return rule === "reference" && answer.verdict === "exit" ? "TypeError" : answer.error_type;
}

/**
 * Counts the failures, keeps answers equal in text once, and decides whether the problem is trained on: one passed and two
 * failed distinct answers (`reference`: two and two). An answer that ran into the length limit is never chosen.
 */
export function sortAnswers(answers: readonly Graded[], rule: Rule): Sorted {
  const counts: Counts = {};
  const first = new Map<string, number>();
  answers.forEach((answer, i) => {
    if (answer.verdict === "infra_error") return; // the judge failed, not the answer
    const type = errorTypeOf(answer, rule);
    if (type !== "") addCount(counts, type);
    if (!first.has(answer.solution)) first.set(answer.solution, i);
  });
  const kept = [...first.values()];
  const passed = kept.filter((i) => answers[i]!.error_type === "" && answers[i]!.ended !== "length");
  const failed = kept.filter((i) => answers[i]!.error_type !== "");
  const neededPassed = rule === "reference" ? 2 : 1;
  let dropped: string | null = null;
  if (passed.length < neededPassed) dropped = `${passed.length} distinct passed answers, ${neededPassed} needed`;
  else if (failed.length < 2) dropped = `${failed.length} distinct failed answers, 2 needed`;
  return { counts, kept, passed, failed, dropped };
}

/**
 * Orders failed answers by the frequency of their error type. paper: type by type, equally frequent types by first
 * appearance; reference: a stable sort of the answers, in which equally frequent types interleave.
 */
export function orderFailed<T extends { error_type: string }>(failed: readonly T[], counts: Counts, order: Order, rule: Rule): T[] {
  const sign = order === "low_to_high" ? 1 : -1;
  const appearance = new Map<string, number>();
  for (const { error_type } of failed) if (!appearance.has(error_type)) appearance.set(error_type, appearance.size);
  return [...failed].sort((a, b) => {
    const byFrequency = sign * (countOf(counts, a.error_type) - countOf(counts, b.error_type));
    if (byFrequency !== 0 || rule === "reference") return byFrequency;
    return appearance.get(a.error_type)! - appearance.get(b.error_type)!;
  });
}

/** notebook.json from the exam's answers, problem by problem in the order given. */
export function makeNotebook(exam: readonly (readonly Answer[])[], rule: Rule, scope: Scope): Notebook {
  const sorted = exam.map((answers) => ({ answers, ...sortAnswers(answers, rule) }));
  const counts: Counts = {};
  for (const problem of sorted) {
    for (const [type, count] of Object.entries(problem.counts)) addCount(counts, type, count);
  }
  const problems: NotebookProblem[] = [];
  const dropped: Notebook["dropped"] = [];
  for (const { answers, ...problem } of sorted) {
    const task_id = answers[0]!.task_id;
    const unordered = problem.failed.map((i) => ({ sample_index: answers[i]!.sample_index, error_type: errorTypeOf(answers[i]!, rule) }));
    const failed = orderFailed(unordered, scope === "corpus" ? counts : problem.counts, "low_to_high", rule);
    if (problem.dropped !== null) dropped.push({ task_id, reason: problem.dropped, counts: problem.counts, failed });
    else problems.push({ task_id, counts: problem.counts, passed: problem.passed.map((i) => answers[i]!.sample_index), failed });
  }
  return { rule, scope, counts: sortedCounts(counts), problems, dropped };
}

/** Counts with the most frequent type first, equal ones by name: the same bytes whatever order they were counted in. */
export function sortedCounts(counts: Counts): Counts {
  return Object.fromEntries(Object.entries(counts).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)));
}

/** Failures by type over judged answers; passes and infra errors are not counted. */
export function countErrors(answers: readonly Pick<Answer, "error_type" | "verdict">[]): Counts {
  return sortedCounts(countEach(answers.map(({ error_type }) => error_type).filter((type) => type !== "")));
}
