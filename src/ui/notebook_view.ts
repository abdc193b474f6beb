// The notebook as it is leafed through: type, then problem, then answer. Pure selections from a run's state.
import { countOf } from "../counts.ts";
import type { Answer, Phase, Preference } from "../records.ts";
import type { RunState } from "./run_state.ts";
import { distance } from "./side_by_side.ts";

export interface ProblemEntry {
  taskId: string;
  title: string;
  passed: number;
  failed: number;
  /** Failed answers of the type looked for, or of any type. */
  matching: number;
}

/** Answers that are equal in text, shown once. */
export interface DistinctAnswer {
  answer: Answer;
  copies: number;
}

export interface ProblemAnswers {
  /** In the order in which the method's window moves over them. */
  failed: DistinctAnswer[];
  passed: DistinctAnswer[];
}

/** The task in words: the program's first comment or docstring line, else its `def` line. */
export function titleOf(program: string): string {
  const lines = program.split("\n").map((line) => line.trim());
  const comment = lines.find((line) => /^#\s*\S/.test(line));
  if (comment) return comment.replace(/^#+\s*/, "");
  const docstring = lines.find((line) => /^("""|''')\s*\S/.test(line));
  if (docstring) return docstring.replace(/"""|'''/g, "").trim();
  return lines.find((line) => line.startsWith("def ")) ?? lines.find((line) => line !== "") ?? "(empty)";
}

/**
 * The problems of a phase that have failed answers of a type, those with most of them first.
 * @param errorType raw type, null for any
 */
export function listProblems(run: RunState, phase: Phase, errorType: string | null): ProblemEntry[] {
  const entries: ProblemEntry[] = [];
  for (const [taskId, answers] of run.answers[phase] ?? []) {
    const failed = answers.filter((answer) => answer.error_type !== "");
    const matching = errorType === null ? failed.length : failed.filter((answer) => answer.error_type === errorType).length;
    if (matching === 0) continue;
    const passed = answers.filter((answer) => answer.verdict === "pass").length;
    entries.push({ taskId, title: titleOf(answers[0].solution), passed, failed: failed.length, matching });
  }
  return entries.sort((a, b) => b.matching - a.matching);
}

function distinct(answers: readonly Answer[]): DistinctAnswer[] {
  const byText = new Map<string, DistinctAnswer>();
  for (const answer of answers) {
    const seen = byText.get(answer.solution);
    if (seen) seen.copies += 1;
    else byText.set(answer.solution, { answer, copies: 1 });
  }
  return [...byText.values()];
}

/** Rare types first, each type's answers together: the paper's order. H2L turns the order of the types around. */
function orderByType(failed: readonly DistinctAnswer[], frequentFirst: boolean): DistinctAnswer[] {
  const counts = new Map<string, number>();
  for (const { answer, copies } of failed) counts.set(answer.error_type, (counts.get(answer.error_type) ?? 0) + copies);
  const types = [...counts].sort((a, b) => (frequentFirst ? b[1] - a[1] : a[1] - b[1])).map(([type]) => type);
  return types.flatMap((type) => failed.filter(({ answer }) => answer.error_type === type));
}

/** The notebook's own order; answers that it left out (equal texts) are not in it. */
function orderByNotebook(
  run: RunState,
  taskId: string,
  failed: readonly DistinctAnswer[],
  frequentFirst: boolean,
): DistinctAnswer[] | null {
  const problem = run.notebookByTask.get(taskId);
  if (!problem) return null;
  const bySample = new Map(failed.map((entry) => [entry.answer.sample_index, entry]));
  const listed = problem.failed.flatMap(({ sample_index }) => bySample.get(sample_index) ?? []);
  if (listed.length !== failed.length || problem.failed.length !== failed.length) return null;
  if (!frequentFirst) return listed;
  const types = [...new Set(listed.map(({ answer }) => answer.error_type))];
  const count = (type: string) => countOf(problem.counts, type);
  types.sort((a, b) => count(b) - count(a));
  return types.flatMap((type) => listed.filter(({ answer }) => answer.error_type === type));
}

/**
 * A problem's distinct answers.
 * @param method decides the direction of the failed ones; methods without a window show rare types first
 */
export function problemAnswers(run: RunState, phase: Phase, taskId: string, method: string): ProblemAnswers {
  const answers = run.answers[phase]?.get(taskId) ?? [];
  const failed = distinct(answers.filter((answer) => answer.error_type !== ""));
  const frequentFirst = method.includes("h2l");
  const listed = phase === "exam" ? orderByNotebook(run, taskId, failed, frequentFirst) : null;
  return {
    failed: listed ?? orderByType(failed, frequentFirst),
    passed: distinct(answers.filter((answer) => answer.verdict === "pass")),
  };
}

export interface Partner {
  answer: Answer;
  /** The pair as it was trained, null when the answer is merely the nearest right one. */
  pair: Preference | null;
}

/**
 * The right answer to set beside a failed one: the one it was trained with, else the nearest in text.
 * @param repaired the problem's answers that the model repaired itself: a pair may name one of them
 */
export function partnerOf(
  failed: Answer,
  passed: readonly DistinctAnswer[],
  pairs: readonly Preference[],
  repaired: readonly Answer[] = [],
): Partner | null {
  const trained = pairs.find((pair) => pair.rejected_index === failed.sample_index);
  const right = [...passed.map(({ answer }) => answer), ...repaired];
  const chosen = trained && right.find((answer) => answer.completion === trained.chosen || answer.sample_index === trained.chosen_index);
  if (trained && chosen) return { answer: chosen, pair: trained };
  let nearest: Partner | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const { answer } of passed) {
    const apart = distance(failed.solution, answer.solution);
    if (apart < least) [nearest, least] = [{ answer, pair: null }, apart];
  }
  return nearest;
}
