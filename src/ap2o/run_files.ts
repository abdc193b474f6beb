// The files of a run, made from its events: the command line appends them to --out, the page collects them for its export.
import type { Answer, RunEvent } from "../records.ts";

/** A piece of text to append to a file of the run's folder. */
export interface Append {
  readonly file: "samples.jsonl" | "results.jsonl" | "notebook.json" | "preferences.jsonl" | "metrics.jsonl" | "quizzes.jsonl" | "run.json";
  readonly text: string;
}

/** What `event` adds to the run's files. Answers of a quiz are counted in quizzes.jsonl and not kept one by one. */
export function appendsOf(event: RunEvent): Append[] {
  switch (event.type) {
    case "answer":
      if (event.answer.phase === "quiz") return [];
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
export function sampleOf({ task_id, solution, completion, ended, sample_index, split, phase }: Answer) {
  return { task_id, solution, completion, ended, sample_index, split, phase };
}

/** The fields of results.jsonl. */
export function resultOf({ task_id, phase, sample_index, verdict, error_type, error_label, line: at, message, expected, got }: Answer) {
  return { task_id, phase, sample_index, verdict, error_type, error_label, line: at, message, expected, got };
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

function document(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
