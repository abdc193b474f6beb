// What a run's curves say about its health: a learning rate that diverges, answers that get less likely though margins rise, and
// quizzes that no longer improve. Pure functions of the lines of metrics.jsonl and quizzes.jsonl.
import type { QuizResult, StepMetrics } from "../records.ts";

/** Steps whose median is looked at: one hard batch is no divergence. */
const DIVERGED_STEPS = 5;
/** A loss so many times that of the first step, or of a coin's toss (log 2) where that is more. */
const DIVERGED_FACTOR = 2;

/**
 * One sentence where the training losses so far (from the first step on) have diverged, else null. DPO's loss begins at log 2 and
 * falls; where it is twice that for most of some steps, the updates overshoot. (It need not grow beyond: once the answers are noise
 * to the model, chosen and rejected alike, the margins are noise, too.)
 */
export function divergence(losses: readonly number[], learningRate: number): string | null {
  const first = losses[0] ?? 0;
  const last = losses.slice(Math.max(1, losses.length - DIVERGED_STEPS));
  if (last.length < DIVERGED_STEPS || !last.every(Number.isFinite)) return null; // NaN is told of by skippedInARow
  const now = [...last].sort((a, b) => a - b)[Math.floor(DIVERGED_STEPS / 2)]!;
  if (now <= DIVERGED_FACTOR * Math.max(Number.isFinite(first) ? first : 0, Math.LN2)) return null;
  const step = losses.length;
  return `Step ${step}: the loss rose from ${first.toFixed(2)} to ${now.toFixed(2)}: the learning rate of ${learningRate} diverges; take a tenth of it.`;
}

/** Steps in a row. */
const SKIPPED_STEPS = 3;

/** What tells whether a step was skipped. */
export type Taken = Pick<StepMetrics, "step" | "loss" | "grad_norm" | "bad_tensor">;

const counts = ({ loss, grad_norm }: Taken): boolean => Number.isFinite(loss) && Number.isFinite(grad_norm);

/** A warning where a step was skipped for NaN or infinity, else null. */
export function skippedStep(metrics: Taken): string | null {
  if (counts(metrics)) return null;
  return `Step ${metrics.step} gave no finite loss or gradient and changed nothing (first bad tensor: ${metrics.bad_tensor ?? "unknown"}); a lower learning rate may help.`;
}

/** One sentence where the last three steps were skipped for NaN or infinity, else null. */
export function skippedInARow(metrics: readonly Taken[]): string | null {
  const last = metrics.slice(-SKIPPED_STEPS);
  if (last.length < SKIPPED_STEPS || last.some(counts)) return null;
  const { step, bad_tensor } = last.at(-1)!;
  return `Step ${step}: ${SKIPPED_STEPS} steps in a row gave no finite loss or gradient (first bad tensor: ${bad_tensor ?? "unknown"}) and changed nothing: take a lower learning rate, or look at the model's weights.`;
}

/** Steps of each of the two stretches that are compared. */
const STRETCH = 10;
/** Nats by which the chosen answers must have lost before anyone is warned. */
const LOST_NATS = 1;

/**
 * A warning where the chosen answers get less likely while the margins rise (likelihood displacement: the cheap way to a larger
 * margin, at which answers break), else null. It compares the last ten steps with the ten before them; the log-ratios to the
 * reference are looked at, since plain log-probabilities differ from batch to batch with the answers' lengths.
 * @param reference false for an objective without one, whose rewards are no log-ratios: then the log-probabilities themselves are compared
 *   with those of the first ten steps, and have fallen where they lost more than the batches' scatter explains
 */
export function displacement(metrics: readonly StepMetrics[], beta: number, reference: boolean): string | null {
  if (metrics.length < 2 * STRETCH) return null;
  const of = (name: "rewards/chosen" | "rewards/margins" | "logps/chosen", from: number, to?: number) =>
    metrics.slice(from, to).map((step) => step[name] ?? Number.NaN);
  const rising = mean(of("rewards/margins", -STRETCH)) > mean(of("rewards/margins", -2 * STRETCH, -STRETCH));
  const name = reference ? "rewards/chosen" : "logps/chosen";
  const [now, before] = [of(name, -STRETCH), of(name, -2 * STRETCH, -STRETCH)];
  const first = of(name, 0, STRETCH);
  const lost = reference ? -mean(now) / beta : mean(first) - mean(now);
  const scatter = reference ? 0 : 2 * Math.sqrt(variance(now) / STRETCH + variance(first) / STRETCH);
  const falling = lost > Math.max(LOST_NATS, scatter) && mean(now) < mean(before);
  if (!falling || !rising) return null;
  return `Step ${metrics.at(-1)!.step}: the chosen answers have become less likely (their log-probability fell by ${lost.toFixed(1)}) while the margins rise: believe the quiz, not the margins; a lower learning rate, rpo_alpha or iterpref help.`;
}

/** Whether the last `patience` quizzes (the one before training apart) brought no better pass@1 than an earlier one; 0: never. */
export function noLongerImproves(quizzes: readonly QuizResult[], patience: number): boolean {
  const scores = quizzes.filter(({ step }) => step > 0).map((quiz) => quiz["pass@1"]);
  if (patience === 0 || scores.length <= patience) return false;
  return Math.max(...scores.slice(-patience)) <= Math.max(...scores.slice(0, -patience));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Of a sample. */
function variance(values: readonly number[]): number {
  const middle = mean(values);
  return values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1);
}
