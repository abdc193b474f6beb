// Why a step was trained on its pairs: told from a run's files alone, each pair's chances worked out anew.
import type { Counts } from "../counts.ts";
import type { Notebook, NotebookProblem, Preference, QuizResult } from "../records.ts";
import { inOwnOrder } from "./ap2o.ts";
import { countsFor, hasReplay, type Method } from "./methods.ts";
import type { Rule } from "./notebook.ts";
import { rejectedProbabilities, replayDraws } from "./replay.ts";

/** What is read of a run. */
export interface RunFiles {
  readonly method: Method;
  readonly rule: Rule;
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
  chosen: { sample_index: number; completion: string; among: number };
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
  streams: string[];
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
  const progressive = files.method.startsWith("ap2o") && at >= 0;
  const draws = new Map(Object.entries(replay?.draws ?? {}));
  return {
    pair: pair ?? null,
    task_id,
    epoch,
    chosen: { sample_index: preference.chosen_index, completion: preference.chosen, among: problem?.passed.length ?? 0 },
    rejected: rejectedOf(files, preference),
    source,
    origin: origin ?? null,
    probability,
    probability_again: progressive ? rejectedProbabilities(types, window, draws)[at]! : null,
    window: { from: window[0], to: window[1], width: width ?? null, of: failed.length },
    order: failed.map((answer, i) => ({ ...answer, in_window: i >= window[0] && i < window[1] })),
    replay,
    seed: seed ?? null,
    streams: [`draw/problems/${Math.floor(epoch)}`, "draw/chosen", "draw/rejected"],
  };
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
export function wordsOf(reason: Reason, method: string): string {
  const { task_id, epoch, chosen, rejected, source, window, replay } = reason;
  const lines = [`${task_id}, epoch ${epoch.toFixed(2)}${reason.pair === null ? "" : `, pair ${reason.pair}`}`];
  lines.push(`  chosen    answer ${chosen.sample_index}${chosen.among > 0 ? `, one of ${chosen.among} that passed` : ""}`);
  if (!rejected) return [...lines, "  rejected  none: SFT learns from right answers alone"].join("\n");
  const where = rejected.line === null ? "" : ` in line ${rejected.line}`;
  const said = rejected.message === "" ? "" : `: ${rejected.message.replace(/\s+/g, " ").slice(0, 100)}`;
  lines.push(`  rejected  answer ${rejected.sample_index}, ${rejected.error_label}${where}${said}`);
  lines.push(`  order     ${orderInWords(reason)}`);
  const share = `with probability ${reason.probability.toFixed(4)}`;
  if (reason.origin) return [...lines, `  why       ${ORIGINS[reason.origin]}, ${share}`].join("\n");
  if (!method.startsWith("ap2o")) return [...lines, `  why       any of the ${window.of} failed answers, ${share}`].join("\n");
  const width = window.width === null ? "" : ` (width ${window.width.toFixed(3)})`;
  const bounds = `[${window.from}, ${window.to}) of ${window.of}${width}`;
  const quiz = replay
    ? `; the quiz at step ${replay.quiz_step} found ${countsInWords(replay.errors)}`
    : "; no quiz had sent anything back yet";
  if (source === "replay") lines.push(`  why       replayed beside the window ${bounds}, ${share}${quiz}`);
  else lines.push(`  why       in the window ${bounds}, ${share}${quiz}`);
  return lines.join("\n");
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
  return Object.entries(counts)
    .map(([type, count]) => `${type} ${count}`)
    .join(", ");
}
