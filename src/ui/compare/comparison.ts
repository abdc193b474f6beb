// What is compared between runs: pure functions over their records.
import { countOf } from "../../counts.ts";
import type { StepMetrics } from "../../records.ts";
import { type ChartSpec, type Line, metricOf } from "../charts/chart_spec.ts";
import { metricText, percentText } from "../number_text.ts";
import type { ShelvedRun } from "./shelf.ts";

/** The letter that marks the run at a place, in every chart and table. */
export function letterOf(place: number): string {
  return String.fromCharCode(65 + (place % 26));
}

/** The colour of the run at a place. */
export function runColor(place: number): string {
  return `var(--run-${"abcd"[place % 4]})`;
}

const DASHES: readonly Line["dash"][] = ["solid", "dashed", "dotted"];

/** Curves that can be laid over each other: a step's metric, the quiz, or the quiz's errors of one type. */
export type Curve = { metric: keyof StepMetrics } | "quiz" | { errorType: string };

function pointsOf({ run }: ShelvedRun, curve: Curve): Map<number, number | null> {
  if (curve === "quiz") return new Map(run.quizzes.map((quiz) => [quiz.step, quiz["pass@1"]]));
  if ("errorType" in curve) return new Map(run.quizzes.map((quiz) => [quiz.step, countOf(quiz.errors, curve.errorType)]));
  return new Map(run.steps.map((step) => [step.step, metricOf(step, curve.metric)]));
}

/** One curve of several runs over each other. */
export function overlay(runs: readonly ShelvedRun[], curve: Curve, title: string, caption: string): ChartSpec {
  const points = runs.map((run) => pointsOf(run, curve));
  const x = [...new Set(points.flatMap((run) => [...run.keys()]))].sort((a, b) => a - b);
  const lines = runs.map((run, place): Line => {
    const values = x.map((step) => points[place].get(step) ?? null);
    return { name: `${letterOf(place)} ${run.title}`, color: runColor(place), dash: DASHES[place % 3], mark: letterOf(place), values };
  });
  const quiz = curve === "quiz";
  return {
    id: quiz ? "quiz" : "errorType" in curve ? "quiz_errors" : "margin",
    title,
    caption,
    meaning: caption,
    x,
    lines,
    format: quiz ? percentText : "errorType" in curve ? String : metricText,
    ...(quiz && { formatAxis: (share: number) => `${Math.round(share * 100)} %` }),
    dots: quiz || "errorType" in curve,
    empty: "Choose runs at the left.",
  };
}

export interface SettingDifference {
  name: string;
  /** One text per run, in their order. */
  values: string[];
}

/** The settings in which runs differ. */
export function settingDifferences(runs: readonly ShelvedRun[]): SettingDifference[] {
  const text = (value: unknown) => (typeof value === "string" ? value : (JSON.stringify(value) ?? "–"));
  const names = [...new Set(runs.flatMap(({ record }) => Object.keys(record.config)))];
  const rows = names.map((name) => ({ name, values: runs.map(({ record }) => text(record.config[name])) }));
  return rows.filter(({ values }) => new Set(values).size > 1);
}

export interface ResultRow {
  label: string;
  /** pass@k by the name in run.json, mean over the runs of the row. */
  before: number | null;
  after: number | null;
  /** Standard deviation over runs of the row; null for one run. */
  spread: number | null;
  pass5: number | null;
  pass10: number | null;
  last: number | null;
  failedBefore: number | null;
  failedAfter: number | null;
}

function mean(values: readonly (number | null | undefined)[]): number | null {
  const known = values.filter((value) => value !== null && value !== undefined);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** Sample standard deviation; null for fewer than two values. */
export function spreadOf(values: readonly number[]): number | null {
  const middle = mean(values);
  if (values.length < 2 || middle === null) return null;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
}

function failed(errors: Record<string, number> | undefined): number | null {
  return errors ? Object.values(errors).reduce((sum, count) => sum + count, 0) : null;
}

function resultRow(label: string, runs: readonly ShelvedRun[]): ResultRow {
  const records = runs.map(({ record }) => record);
  return {
    label,
    before: mean(records.map(({ before }) => before?.["pass@1"])),
    after: mean(records.map(({ after }) => after?.["pass@1"])),
    spread: spreadOf(records.flatMap(({ after }) => after?.["pass@1"] ?? [])),
    pass5: mean(records.map(({ after }) => after?.["pass@5"])),
    pass10: mean(records.map(({ after }) => after?.["pass@10"])),
    last: mean(records.map(({ after_last }) => after_last?.["pass@1"])),
    failedBefore: mean(records.map(({ before }) => failed(before?.errors))),
    failedAfter: mean(records.map(({ after }) => failed(after?.errors))),
  };
}

/** A row per run, then a row per method that has several runs: their mean and spread. */
export function resultRows(runs: readonly ShelvedRun[]): ResultRow[] {
  const rows = runs.map((run, place) => resultRow(`${letterOf(place)} · ${run.title}, seed ${run.record.seed}`, [run]));
  const methods = [...new Set(runs.map(({ record }) => record.method))];
  const several = methods.map((method) => ({ method, own: runs.filter(({ record }) => record.method === method) }));
  return [
    ...rows,
    ...several.filter(({ own }) => own.length > 1).map(({ method, own }) => resultRow(`${method}, ${own.length} runs`, own)),
  ];
}

export interface TypeCounts {
  errorType: string;
  before: number;
  /** One count per run. */
  after: number[];
}

/** Evaluation errors by type: before (of the first run) and after, per run; the most frequent first. */
export function errorTable(runs: readonly ShelvedRun[]): TypeCounts[] {
  const before = runs[0]?.record.before?.errors ?? {};
  const after = runs.map(({ record }) => record.after?.errors ?? {});
  const types = [...new Set([before, ...after].flatMap((errors) => Object.keys(errors)))];
  const rows = types.map((errorType) => ({
    errorType,
    before: countOf(before, errorType),
    after: after.map((errors) => countOf(errors, errorType)),
  }));
  return rows.sort((a, b) => b.before - a.before || Math.max(...b.after) - Math.max(...a.after));
}

export interface ProblemRow {
  taskId: string;
  before: number;
  after: number[];
  of: number;
}

/** Right answers to each evaluation problem, before and after each run: where the runs differ most first. */
export function problemTable(runs: readonly ShelvedRun[]): ProblemRow[] {
  const right = ({ run }: ShelvedRun, phase: "before" | "after", taskId: string) => run.right[phase].get(taskId)?.passed ?? 0;
  const tasks = [...new Set(runs.flatMap(({ run }) => [...run.right.after.keys()]))];
  const rows = tasks.map((taskId) => ({
    taskId,
    before: runs[0] ? right(runs[0], "before", taskId) : 0,
    after: runs.map((run) => right(run, "after", taskId)),
    of: runs[0]?.run.right.after.get(taskId)?.of ?? 0,
  }));
  const range = (row: ProblemRow) => Math.max(row.before, ...row.after) - Math.min(row.before, ...row.after);
  return rows.sort((a, b) => range(b) - range(a));
}
