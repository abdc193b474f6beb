// From judged answers to the figures that are reported.

import type { Counts } from "../counts.ts";
import { integer, streamOf } from "../random.ts";
import type { Answer, EvaluationResult, QuizResult } from "../records.ts";
import { passAtK } from "../tasks/pass_at_k.ts";
import { countErrors, errorTypeOf, type Rule } from "./notebook.ts";

type Judged = Pick<Answer, "verdict" | "error_type">;

/** The judged answers of each problem: an infra_error says nothing about the answer. Problems without any are left out. */
function judged<A extends Judged>(problems: readonly (readonly A[])[]): A[][] {
  const left = problems.map((answers) => answers.filter(({ verdict }) => verdict !== "infra_error")).filter(({ length }) => length > 0);
  if (left.length === 0) throw new Error("No answer could be judged: the sandbox failed on every one; run it again.");
  return left;
}

/** pass@k as the mean over problems, or null where a problem has fewer than k answers. */
export function meanPassAtK(problems: readonly (readonly Judged[])[], k: number): number | null {
  return meanOfTallies(problems.map(tally), k);
}

interface Tally {
  readonly n: number;
  readonly passed: number;
}

const tally = (answers: readonly Judged[]): Tally => ({
  n: answers.length,
  passed: answers.filter(({ verdict }) => verdict === "pass").length,
});

function meanOfTallies(tallies: readonly Tally[], k: number): number | null {
  if (tallies.some(({ n }) => n < k)) return null;
  return mean(tallies.map(({ n, passed }) => passAtK(n, passed, k)));
}

/** `before`, `after` and `after_last` of run.json. */
export function evaluationResult(answers: readonly (readonly Judged[])[]): EvaluationResult {
  const problems = judged(answers);
  const tallies = problems.map(tally); // once: the curve asks as often as a problem has answers
  const at5 = meanOfTallies(tallies, 5);
  const at10 = meanOfTallies(tallies, 10);
  const n = tallies.reduce((least, { n: answers }) => Math.min(least, answers), Number.POSITIVE_INFINITY);
  return {
    "pass@1": meanOfTallies(tallies, 1) ?? 0,
    ...(at5 !== null && { "pass@5": at5 }),
    ...(at10 !== null && { "pass@10": at10 }),
    curve: Array.from({ length: n }, (_, i) => meanOfTallies(tallies, i + 1) ?? 0),
    interval: bootstrapInterval(problems.map(passRate)),
    n,
    problems: problems.length,
    errors: countErrors(problems.flat()),
  };
}

/** What training changed, problem by problem. */
export interface Gain {
  /** Difference of the means of pass@1. */
  "pass@1": number;
  /** 95 % by bootstrap over the problems, each of them before and after together. */
  interval: [number, number];
}

/** @param before, after answers of the same problems in the same order */
export function gainOf(before: readonly (readonly Judged[])[], after: readonly (readonly Judged[])[]): Gain {
  const both = before.flatMap((answers, p) => {
    const [was, is] = [answers, after[p]!].map((all) => all.filter(({ verdict }) => verdict !== "infra_error"));
    return was!.length > 0 && is!.length > 0 ? [passRate(is!) - passRate(was!)] : [];
  });
  return { "pass@1": mean(both), interval: bootstrapInterval(both) };
}

const RESAMPLES = 2000;

/** The middle 95 % of the means of resamples with replacement; the same draws every time. */
export function bootstrapInterval(values: readonly number[]): [number, number] {
  const stream = streamOf("bootstrap");
  const means = Array.from({ length: RESAMPLES }, (_, r) =>
    mean(values.map((_, i) => values[integer(0, stream, r * values.length + i, values.length)]!)),
  ).sort((a, b) => a - b);
  return [means[Math.floor(0.025 * RESAMPLES)]!, means[Math.ceil(0.975 * RESAMPLES) - 1]!];
}

function passRate(answers: readonly Judged[]): number {
  return answers.filter(({ verdict }) => verdict === "pass").length / answers.length;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** A line of quizzes.jsonl; errors go by the types of the notebook's `rule`, which replay looks for; `replay`: the share of each type in the replay draws that follow, {} where there is no replay. */
export function quizResult(step: number, answers: readonly (readonly Judged[])[], rule: Rule, replays: boolean): QuizResult {
  const problems = judged(answers);
  const errors = countErrors(problems.flat().map((answer) => ({ ...answer, error_type: errorTypeOf(answer, rule) })));
  return { step, "pass@1": meanPassAtK(problems, 1) ?? 0, errors, replay: replays ? shares(errors) : {} };
}

function shares(counts: Counts): Record<string, number> {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return Object.fromEntries(Object.entries(counts).map(([type, count]) => [type, count / total]));
}
