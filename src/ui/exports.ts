// What can be taken away from a run, made from the files that the engine gives.
import { zipSync } from "fflate";

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
  { name: "Whole run", purpose: "all files, zipped", fileName: "errata-run.zip", includes: () => true },
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

/** Hands bytes to the browser's downloads. */
export function download(fileName: string, bytes: Uint8Array): void {
  const url = URL.createObjectURL(new Blob([new Uint8Array(bytes)]));
  const link = document.createElement("a");
  link.href = url;
  link.download = fileName;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
