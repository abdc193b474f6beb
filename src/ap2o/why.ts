// Why a step was trained on its pairs: told from a run's files alone, each pair's chances worked out anew.
import type { Counts } from "../counts.ts";
import type { Notebook, NotebookProblem, Preference, QuizResult } from "../records.ts";
import { inOwnOrder } from "./ap2o.ts";
import { type RepairOptions, repairedFrom } from "./codeflow.ts";
import { countsFor, hasReplay, hasWindows, type Method } from "./methods.ts";
import type { Rule } from "./notebook.ts";
import { rejectedProbabilities, replayDraws } from "./replay.ts";

/** What is read of a run. */
export interface RunFiles {
  readonly method: Method;
  readonly rule: Rule;
  /** Whether an epoch has every answer of a window (pairs_per_epoch), and whether the exam's verdicts were shuffled. */
  readonly wholeWindows: boolean;
  readonly shuffledVerdicts: boolean;
  /** By which the index of a repaired answer names the one that was repaired. */
  readonly repairs: Pick<RepairOptions, "examN" | "rounds">;
  readonly notebook: Notebook;
  readonly quizzes: readonly QuizResult[];
  readonly preferences: readonly Preference[];
  /** How each answer of the exam, and each repaired one, came out: by task and sample_index. */
  readonly verdicts: ReadonlyMap<string, { error_label: string; line: number | null; message: string }>;
}

/** One pair of a step, and why it was drawn. */
export interface Reason {
  pair: number | null;
  task_id: string;
  epoch: number;
  chosen: { sample_index: number; completion: string; how: string };
  /** null for SFT, which has none. */
  rejected: {
    sample_index: number;
    completion: string;
    error_type: string;
    error_label: string;
    line: number | null;
    message: string;
  } | null;
  source: Preference["source"];
  origin: Preference["origin"] | null;
  probability: number;
  /** The same, worked out anew from notebook and quizzes; null for the methods that have neither window nor replay. */
  probability_again: number | null;
  window: { from: number; to: number; width: number | null; of: number };
  /** The problem's failed answers in the method's own order. */
  order: { sample_index: number; error_type: string; in_window: boolean }[];
  /** What the quiz before the step sent back for replay: expected draws by type beside the window's; null: no replay yet. */
  replay: { quiz_step: number; errors: Counts; draws: Record<string, number> } | null;
  seed: number | null;
  streams: StreamUse[];
}

/** A random stream (src/random.ts) and which of its numbers decided; none named where it shuffled a list. */
export interface StreamUse {
  stream: string;
  indices: number[];
}

/** The pairs of optimiser step `step`, in the order in which they were drawn; [] where the run has no such step. */
export function reasonsOf(files: RunFiles, step: number): Reason[] {
  return files.preferences.filter((preference) => preference.step === step).map((preference) => reasonOf(files, preference));
}

function reasonOf(files: RunFiles, preference: Preference): Reason {
  const { task_id, epoch, window, source, probability, origin, width, pair, seed } = preference;
  const problem = files.notebook.problems.find((candidate) => candidate.task_id === task_id);
  const failed = problem ? orderOf(files, problem) : [];
  const replay = replayOf(files, preference, failed);
  const types = failed.map(({ error_type }) => error_type);
  const at = failed.findIndex(({ sample_index }) => sample_index === preference.rejected_index);
  const draws = new Map(Object.entries(replay?.draws ?? {}));
  const again = () => (files.wholeWindows ? turnProbability(types, source, draws) : rejectedProbabilities(types, window, draws))[at]!;
  return {
    pair: pair ?? null,
    task_id,
    epoch,
    chosen: { sample_index: preference.chosen_index, completion: preference.chosen, how: howChosen(files, preference, problem) },
    rejected: rejectedOf(files, preference),
    source,
    origin: origin ?? null,
    probability,
    probability_again: hasWindows(files.method) && at >= 0 ? again() : null,
    window: { from: window[0], to: window[1], width: width ?? null, of: failed.length },
    order: failed.map((answer, i) => ({ ...answer, in_window: i >= window[0] && i < window[1] })),
    replay,
    seed: seed ?? null,
    streams: streamsOf(files, preference),
  };
}

/** The chance of each answer in its turn: of the window's it is certain, of the problem's others to be replayed beside it. */
function turnProbability(types: readonly string[], source: Preference["source"], draws: ReadonlyMap<string, number>): number[] {
  return source === "window" ? types.map(() => 1) : rejectedProbabilities(types, [0, 0], draws);
}

function howChosen(files: RunFiles, { origin, chosen_index, rejected_index }: Preference, problem: NotebookProblem | undefined): string {
  if (origin === "codeflow") return `what the model made of answer ${repairedFrom(chosen_index, files.repairs)}`;
  if (origin === "fallback") return `of those that passed the one nearest to answer ${rejected_index}`;
  const passed = files.shuffledVerdicts ? "are taken for passed, as the verdicts are shuffled" : "passed";
  return `one of ${problem?.passed.length ?? 0} that ${passed}`;
}

/** Which random numbers decided on a pair. */
function streamsOf(files: RunFiles, { task_id, pair, epoch, source, origin, chosen_index }: Preference): StreamUse[] {
  const { method, notebook, rule } = files;
  const whole = (stream: string): StreamUse => ({ stream, indices: [] });
  const drawn = (stream: string, ...indices: number[]): StreamUse => ({ stream, indices: pair === undefined ? [] : indices });
  const n = pair ?? 0;
  // By the code's rule an epoch is read once per batch; the problems are shuffled by the pair's own.
  const problems = whole(`draw/problems/${Math.floor(pair === undefined ? epoch : n / notebook.problems.length)}`);
  const chosen = drawn("draw/chosen", n);
  const control = files.shuffledVerdicts ? [whole(`shuffle_verdicts/${task_id}`)] : [];
  if (method === "sft") return [...control, problems, chosen];
  if (method === "dyn-dpo") return [...control, problems, chosen, drawn("draw/rejected", n)];
  if (method === "dpo") return [...control, whole("draw/pairs")];
  if (method === "curri-dpo") return [...control, ...(rule === "reference" ? [whole(`draw/trainer/${Math.floor(epoch)}`)] : [])];
  if (method === "iterpref") {
    const version = `codeflow/rejected/${task_id}/${repairedFrom(chosen_index, files.repairs)}`;
    return [whole(`codeflow/${task_id}`), ...(origin === "codeflow" ? [{ stream: version, indices: [0] }] : []), whole("draw/pairs")];
  }
  const rejected = drawn("draw/rejected", 2 * n, 2 * n + 1);
  if (!files.wholeWindows) return [...control, problems, chosen, rejected];
  return [...control, whole(`draw/turns/${Math.floor(epoch)}`), chosen, ...(source === "replay" ? [rejected] : [])];
}

function rejectedOf({ verdicts }: RunFiles, { task_id, rejected, rejected_index, error_type }: Preference): Reason["rejected"] {
  if (rejected === undefined || rejected_index === undefined) return null;
  const { error_label, line, message } = verdicts.get(`${task_id} ${rejected_index}`) ?? {
    error_label: "",
    line: null,
    message: "",
  };
  // Shuffled verdicts: the answer's own verdict is not the one that it was trained by.
  return { sample_index: rejected_index, completion: rejected, error_type, error_label: error_label || error_type, line, message };
}

function orderOf({ method, rule, notebook }: RunFiles, problem: NotebookProblem): NotebookProblem["failed"] {
  if (!method.startsWith("ap2o-h2l")) return problem.failed;
  return inOwnOrder(problem, { rule, order: "high_to_low", countsOf: countsFor(notebook) });
}

/** The last quiz before the step that counts: the one before training does not. */
function replayOf(files: RunFiles, { step, window }: Preference, failed: NotebookProblem["failed"]): Reason["replay"] {
  if (!hasReplay(files.method)) return null;
  const quiz = files.quizzes.filter((candidate) => candidate.step > 0 && candidate.step < step).at(-1);
  if (!quiz) return null;
  const types = failed.map(({ error_type }) => error_type);
  const draws = Object.fromEntries(replayDraws(files.rule, types, window[1] - window[0], quiz.errors));
  return { quiz_step: quiz.step, errors: quiz.errors, draws };
}

/** A reason in words. */
export function wordsOf(reason: Reason, method: Method): string {
  const { task_id, epoch, chosen, rejected } = reason;
  const lines = [`${task_id}, epoch ${epoch.toFixed(2)}${reason.pair === null ? "" : `, pair ${reason.pair}`}`];
  lines.push(`  chosen    answer ${chosen.sample_index}, ${chosen.how}`);
  const seeds = `  random    ${streamsInWords(reason)}`;
  if (!rejected) return [...lines, "  rejected  none: SFT learns from right answers alone", seeds].join("\n");
  const where = rejected.line === null ? "" : ` in line ${rejected.line}`;
  const said = rejected.message === "" ? "" : `: ${rejected.message.replace(/\s+/g, " ").slice(0, 100)}`;
  lines.push(`  rejected  answer ${rejected.sample_index}, ${rejected.error_label}${where}${said}`);
  lines.push(`  order     ${orderInWords(reason)}`);
  return [...lines, `  why       ${whyRejected(reason, method)}`, seeds].join("\n");
}

function whyRejected({ origin, probability, source, window, replay }: Reason, method: Method): string {
  const share = `with probability ${probability.toFixed(4)}`;
  if (origin) return `${ORIGINS[origin]}, ${share}`;
  if (method === "dpo" || method === "curri-dpo") return `each of the ${window.of} failed answers is paired with each that passed`;
  if (!hasWindows(method)) return `any of the ${window.of} failed answers, ${share}`;
  const width = window.width === null ? "" : ` (width ${window.width.toFixed(3)})`;
  const bounds = `[${window.from}, ${window.to}) of ${window.of}${width}`;
  const found = replay
    ? `; the quiz at step ${replay.quiz_step} found ${countsInWords(replay.errors)}`
    : "; no quiz had sent anything back yet";
  return `${source === "replay" ? "replayed beside" : "in"} the window ${bounds}, ${share}${hasReplay(method) ? found : ""}`;
}

function streamsInWords({ streams }: Reason): string {
  if (streams.length === 0) return "nothing: the order is fixed";
  return streams.map(({ stream, indices }) => (indices.length === 0 ? stream : `${stream} at ${indices.join(" and ")}`)).join(", ");
}

const ORIGINS: Record<NonNullable<Reason["origin"]>, string> = {
  codeflow: "a version of the answer that the model repaired afterwards",
  fallback: "never repaired: paired with the passed answer of the exam that is nearest to it",
};

/** "AssertionError x9, [TypeError x1], TypeError x4": runs of equal types, the window in brackets. */
function orderInWords({ order }: Reason): string {
  const runs: { type: string; in_window: boolean; count: number }[] = [];
  for (const { error_type: type, in_window } of order) {
    const last = runs.at(-1);
    if (last && last.type === type && last.in_window === in_window) last.count++;
    else runs.push({ type, in_window, count: 1 });
  }
  return runs.map(({ type, in_window, count }) => (in_window ? `[${type} x${count}]` : `${type} x${count}`)).join(", ");
}

function countsInWords(counts: Counts): string {
  const parts = Object.entries(counts).map(([type, count]) => `${type} ${count}`);
  return parts.length === 0 ? "no errors" : parts.join(", ");
}
