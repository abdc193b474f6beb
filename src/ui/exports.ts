// What can be taken away from a run, made from the files that the engine gives.
import { zipSync } from "fflate";
import type { StepMetrics } from "../records.ts";

export interface RunFile {
  path: string;
  bytes: Uint8Array;
}

export interface ExportKind {
  name: string;
  /** What the file is for. */
  purpose: string;
  fileName: string;
  /** Which of the run's files go in. */
  includes(path: string): boolean;
}

export const WHOLE_RUN: ExportKind = {
  name: "Whole run",
  purpose: "one zip that another Errata opens: drop it on the page",
  fileName: "errata-run.zip",
  includes: () => true,
};

export const EXPORTS: readonly ExportKind[] = [
  {
    name: "Adapter",
    purpose: "LoRA weights as PEFT reads them",
    fileName: "errata-adapter.zip",
    includes: (path) => path.startsWith("adapter/"),
  },
  {
    name: "Pairs",
    purpose: "the preference pairs as TRL reads them",
    fileName: "preferences.jsonl",
    includes: (path) => path === "preferences.jsonl",
  },
  {
    name: "Answers",
    purpose: "every answer as EvalPlus reads it",
    fileName: "samples.jsonl",
    includes: (path) => path === "samples.jsonl",
  },
  WHOLE_RUN,
];

/**
 * The content of an export.
 * @param files the run's files
 * @throws when the run has none of the files that belong in it
 */
export function exportContent(kind: ExportKind, files: readonly RunFile[]): Uint8Array {
  const chosen = files.filter((file) => kind.includes(file.path));
  if (chosen.length === 0) throw new Error(`${kind.name}: the run has no such file yet. Let it train a step first.`);
  if (!kind.fileName.endsWith(".zip")) return chosen[0].bytes;
  return zipSync(Object.fromEntries(chosen.map(({ path, bytes }) => [path, bytes])));
}

/** A table as CSV: a header, then a line per row; empty where there is no value. */
export function csvOf(columns: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string {
  const cell = (value: string | number | null) =>
    value === null ? "" : typeof value === "number" ? String(value) : `"${value.replaceAll('"', '""')}"`;
  return [columns.map(cell), ...rows.map((row) => row.map(cell))].map((cells) => `${cells.join(",")}\r\n`).join("");
}

/** Every metric of every step as CSV, under TRL's names. */
export function metricsCsv(steps: readonly StepMetrics[]): string {
  const names = [...new Set(steps.flatMap((metrics) => Object.keys(metrics)))];
  const rows = steps.map((metrics) => {
    const values = new Map(Object.entries(metrics));
    return names.map((name) => values.get(name) ?? null);
  });
  return csvOf(names, rows);
}

/** Hands bytes to the browser's downloads. */
export function download(fileName: string, bytes: Uint8Array): void {
  const url = URL.createObjectURL(new Blob([new Uint8Array(bytes)]));
  const link = document.createElement("a");
  link.href = url;
  link.download = fileName;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
