// What the page draws of a run over its training steps: each chart as plain data, for the screen, the table, and the files.
import { countOf } from "../../counts.ts";
import type { StepMetrics } from "../../records.ts";
import { errorLook } from "../error_types.ts";
import { metricText, percentText } from "../number_text.ts";
import type { RunState } from "../run_state.ts";

export interface Line {
  name: string;
  /** A colour as CSS writes it; it may use the theme's custom properties. */
  color: string;
  dash: "solid" | "dashed" | "dotted";
  /** Two letters at the line's end, where colours alone would have to tell lines apart. */
  mark?: string;
  /** One value per x, null where there is none. */
  values: readonly (number | null)[];
}

export type ChartId = "loss" | "margin" | "accuracy" | "logps" | "gradient" | "rate" | "speed" | "quiz" | "quiz_errors";

export interface ChartSpec {
  id: ChartId;
  title: string;
  /** What to know at a glance: a few words that fit a narrow chart. */
  caption: string;
  /** What the curve means and what to watch for. */
  meaning: string;
  x: readonly number[];
  lines: readonly Line[];
  format(value: number): string;
  /** Text of the y axis, where it differs. */
  formatAxis?(value: number): string;
  /** Points that are joined, instead of a raw curve with its average over it. */
  dots: boolean;
  /** Shown in place of an empty plot. */
  empty: string;
}

const INK = "var(--ink-2)";
const DASHES: readonly Line["dash"][] = ["solid", "dashed", "dotted"];

/** The colour of an error type, as its badge has it. */
export function typeColor(errorType: string): string {
  return `oklch(var(--type-l) var(--type-c) ${errorLook(errorType).hue})`;
}

type Metric = keyof StepMetrics;

/** A step's value of a metric; null where it has none, or a text. */
export function metricOf(step: StepMetrics, metric: Metric): number | null {
  const value = step[metric];
  return typeof value === "number" ? value : null;
}

function metricLine(steps: readonly StepMetrics[], metric: Metric, name: string, look: Pick<Line, "color" | "dash">): Line[] {
  const values = steps.map((step) => metricOf(step, metric));
  return values.some((value) => value !== null) ? [{ name, ...look, values }] : [];
}

function one(steps: readonly StepMetrics[], metric: Metric, name: string): Line[] {
  return metricLine(steps, metric, name, { color: INK, dash: "solid" });
}

function pair(steps: readonly StepMetrics[], chosen: Metric, rejected: Metric): Line[] {
  return [
    ...metricLine(steps, chosen, "chosen", { color: "var(--right)", dash: "solid" }),
    ...metricLine(steps, rejected, "rejected", { color: "var(--wrong)", dash: "dashed" }),
  ];
}

/** Error types of the quizzes, the most frequent at any quiz first. */
export function quizTypes({ quizzes }: Pick<RunState, "quizzes">): string[] {
  const most = new Map<string, number>();
  for (const { errors } of quizzes) {
    for (const [type, count] of Object.entries(errors)) most.set(type, Math.max(count, most.get(type) ?? 0));
  }
  return [...most].sort((a, b) => b[1] - a[1]).map(([type]) => type);
}

/** Errors of one type from quiz to quiz. */
export function quizErrorLine({ quizzes }: Pick<RunState, "quizzes">, errorType: string, place: number): Line {
  const { label, code } = errorLook(errorType);
  const values = quizzes.map((quiz) => countOf(quiz.errors, errorType));
  return { name: label, color: typeColor(errorType), dash: DASHES[place % DASHES.length], mark: code, values };
}

/** So many types can be told apart in one chart. */
export const QUIZ_TYPES_DRAWN = 6;

function quizErrors(run: RunState): ChartSpec {
  const types = quizTypes(run).slice(0, QUIZ_TYPES_DRAWN);
  return {
    id: "quiz_errors",
    title: "Quiz errors by type",
    caption: "Failed quiz answers.",
    meaning: "Failed quiz answers by kind of error. Up again after down: the error came back, and replay should catch it.",
    x: run.quizzes.map((quiz) => quiz.step),
    lines: types.map((type, place) => quizErrorLine(run, type, place)),
    format: (value) => String(value),
    dots: true,
    empty: "One line per kind of error, one point per quiz.",
  };
}

function quizPass({ quizzes, bestStep }: RunState): ChartSpec {
  const values = quizzes.map((quiz) => quiz["pass@1"]);
  return {
    id: "quiz",
    title: "Quiz pass@1",
    caption: bestStep === null ? "The proof that counts." : `Step ${bestStep} is best and kept.`,
    meaning: "Share of right quiz answers, on problems that are not trained on. A growing margin alone is no proof; this is.",
    x: quizzes.map((quiz) => quiz.step),
    lines: values.length > 0 ? [{ name: "pass@1", color: INK, dash: "solid", values }] : [],
    format: percentText,
    formatAxis: (share) => `${Math.round(share * 100)} %`,
    dots: true,
    empty: "One point for each quiz; the best one is kept.",
  };
}

const BEGINS = "Begins with the first training step.";

/** All charts of a run, in the order from what training optimises to what counts. */
export function chartsOf(run: RunState, method: string): ChartSpec[] {
  const { steps } = run;
  const x = steps.map(({ step }) => step);
  const sft = method === "sft";
  const noPairs = sft && steps.length > 0 ? "SFT trains on right answers alone: there is no pair to compare." : "";
  const curve = (id: ChartId, title: string, lines: Line[], caption: string, meaning: string, empty = BEGINS): ChartSpec => {
    return { id, title, lines, caption, meaning, empty, x, format: metricText, dots: false };
  };
  return [
    curve(
      "loss",
      "Loss",
      one(steps, "loss", "loss"),
      sft ? "Surprise at right answers." : "0.69 is a coin toss.",
      sft
        ? "How surprising right answers are to the model."
        : "What training lowers. At 0.69 it tells right from wrong no better than a coin toss.",
    ),
    curve(
      "margin",
      "Reward margin",
      one(steps, "rewards/margins", "margin"),
      "Right over wrong.",
      "How much more the model now prefers right over wrong answers than it did before training.",
      noPairs || "Grows as right and wrong answers move apart.",
    ),
    curve(
      "logps",
      "Log-probs",
      pair(steps, "logps/chosen", "logps/rejected"),
      "Chosen must not sink.",
      "Of whole answers. Where chosen (solid) sinks together with rejected (dashed), training breaks what both share.",
      noPairs || "How likely the model finds right and wrong answers.",
    ),
    quizPass(run),
    quizErrors(run),
    curve(
      "accuracy",
      "Reward accuracy",
      one(steps, "rewards/accuracies", "accuracy"),
      "Pairs moved the right way.",
      "Share of pairs in which the right answer gained more than the wrong one.",
      noPairs || BEGINS,
    ),
    curve(
      "gradient",
      "Gradient norm",
      one(steps, "grad_norm", "gradient norm"),
      "Before clipping.",
      "Before clipping. A jump is a batch that pulls hard; a rise that stays is a rate that is too high.",
    ),
    curve("rate", "Learning rate", one(steps, "learning_rate", "learning rate"), "Warms up, then falls.", "How far each step goes."),
    curve(
      "speed",
      "Tokens per second",
      one(steps, "tokens_per_second", "tokens per second"),
      "Trained.",
      "Tokens trained per second on this adapter.",
    ),
  ];
}
