// From judged answers to the figures that are reported.
import type { Answer, EvaluationResult, QuizResult } from "../records.ts";
import { passAtK } from "../tasks/pass_at_k.ts";
import { type Counts, countErrors } from "./notebook.ts";

type Judged = Pick<Answer, "verdict" | "error_type">;

/** The judged answers of each problem: an infra_error says nothing about the answer. Problems without any are left out. */
function judged<A extends Judged>(problems: readonly (readonly A[])[]): A[][] {
  const left = problems.map((answers) => answers.filter(({ verdict }) => verdict !== "infra_error")).filter(({ length }) => length > 0);
  if (left.length === 0) throw new Error("No answer could be judged: the sandbox failed on every one; run it again.");
  return left;
}

/** pass@k as the mean over problems, or null where a problem has fewer than k answers. */
export function meanPassAtK(problems: readonly (readonly Judged[])[], k: number): number | null {
  if (problems.some((answers) => answers.length < k)) return null;
  const each = problems.map((answers) => passAtK(answers.length, answers.filter(({ verdict }) => verdict === "pass").length, k));
  return each.reduce((sum, value) => sum + value, 0) / each.length;
}

/** `before`, `after` and `after_last` of run.json. */
export function evaluationResult(answers: readonly (readonly Judged[])[]): EvaluationResult {
  const problems = judged(answers);
  const at5 = meanPassAtK(problems, 5);
  const at10 = meanPassAtK(problems, 10);
  return {
    "pass@1": meanPassAtK(problems, 1) ?? 0,
    ...(at5 !== null && { "pass@5": at5 }),
    ...(at10 !== null && { "pass@10": at10 }),
    n: Math.min(...problems.map(({ length }) => length)),
    problems: problems.length,
    errors: countErrors(problems.flat()),
  };
}

/** A line of quizzes.jsonl; `replay`: the share of each type in the replay draws that follow, {} where there is no replay. */
export function quizResult(step: number, answers: readonly (readonly Judged[])[], replays: boolean): QuizResult {
  const problems = judged(answers);
  const errors = countErrors(problems.flat());
  return { step, "pass@1": meanPassAtK(problems, 1) ?? 0, errors, replay: replays ? shares(errors) : {} };
}

function shares(counts: Counts): Record<string, number> {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return Object.fromEntries(Object.entries(counts).map(([type, count]) => [type, count / total]));
}
