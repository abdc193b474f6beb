// The files of a run, made from its events: the command line appends them to --out, the page collects them for its export.
//
// From them every window and draw can be worked out anew (test/ap2o/check_run.mjs does, without a line of this code). Every draw is a number
// of src/random.ts, by the run's seed, a stream's name and an index; n is a pair's `pair`, P the number of notebook.json's problems, E
// run.json's `epochs` (of whole windows the setting; else pairs of all steps / P, rounded up).
// - Splits of files that name none: split/TASK at 0, by `split_seed` in place of the seed; below 0.6 train, below 0.75 validation.
// - Answers: exam/TASK/I, quiz/TASK/I, evaluation/TASK/I and repair/TASK/I key what the model samples. shuffle_verdicts/TASK: the control's deal.
// - AP2O: e = n / P (rule reference: of its step's first pair). The window of N failed answers goes from floor(e N / E) to floor((e + 1) N / E).
//   draw/problems/K shuffles the problems of epoch K = floor(n / P), the pair's is number n mod P; draw/chosen at n; draw/rejected at 2n
//   (its place among window and replay) and 2n + 1 (which of the replayed type). The quiz that counts is the last one after step 0 and before the pair's.
// - AP2O with whole windows: e is the epoch; draw/turns/K shuffles its turns, problem by problem. Turn t is pair 2t, what is replayed beside it pair
//   2t + 1: draw/chosen at n; draw/rejected at 2n (the replayed type) and 2n + 1.
// - Dyn-DPO and SFT: draw/problems/K, draw/chosen at n, draw/rejected at n. DPO: draw/pairs shuffles all pairs. Curri-DPO by rule reference:
//   draw/trainer/K, in every epoch. IterPref: codeflow/TASK (what is repaired), codeflow/rejected/TASK/I at 0 (which version), draw/pairs.
import type { Answer, RunEvent } from "../records.ts";

/** A piece of text to append to a file of the run's folder. */
export interface Append {
  readonly file: "samples.jsonl" | "results.jsonl" | "notebook.json" | "preferences.jsonl" | "metrics.jsonl" | "quizzes.jsonl" | "run.json";
  readonly text: string;
}

/** What `event` adds to the run's files. */
export function appendsOf(event: RunEvent): Append[] {
  switch (event.type) {
    case "answer":
      return [
        { file: "samples.jsonl", text: line(sampleOf(event.answer)) },
        { file: "results.jsonl", text: line(resultOf(event.answer)) },
      ];
    case "notebook":
      return [{ file: "notebook.json", text: document(event.notebook) }];
    case "step":
      return [
        { file: "metrics.jsonl", text: line(event.metrics) },
        ...event.pairs.map((pair) => ({ file: "preferences.jsonl" as const, text: line(pair) })),
      ];
    case "quiz":
      return [{ file: "quizzes.jsonl", text: line(event.quiz) }];
    case "finished":
      return [{ file: "run.json", text: document(event.run) }];
    case "stage":
    case "evaluation":
    case "warning":
      return [];
  }
}

/** The fields of samples.jsonl. */
export function sampleOf({ task_id, solution, completion, ended, sample_index, split, phase, step }: Answer) {
  return { task_id, solution, completion, ended, sample_index, split, phase, ...(step !== undefined && { step }) };
}

/** The fields of results.jsonl. */
export function resultOf({
  task_id,
  phase,
  step,
  sample_index,
  verdict,
  error_type,
  error_label,
  line: at,
  message,
  expected,
  got,
}: Answer) {
  const which = { task_id, phase, ...(step !== undefined && { step }), sample_index };
  return { ...which, verdict, error_type, error_label, line: at, message, expected, got };
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

function document(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
