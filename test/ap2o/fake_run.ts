// The files of a run on the fakes, as texts and on disk.
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Run } from "../../src/ap2o/run.ts";
import { appendsOf } from "../../src/ap2o/run_files.ts";
import { FakeJudge, FakeStudent, fakeClock, fakeConfig, fakeProblems } from "./fakes.ts";

export type RunTexts = Record<string, string>;

/** A run of 15 steps, 8 problems in each split. */
export async function fakeRunFiles(method: string, overrides: Record<string, number | string | boolean> = {}): Promise<RunTexts> {
  const config = fakeConfig({ steps: 15, quiz_steps: 5, exam_n: 20, evaluation_n: 6, ...overrides }, method);
  const inputs = {
    preset: "smoke",
    config,
    problems: fakeProblems(8),
    student: new FakeStudent(),
    judge: new FakeJudge(),
    now: fakeClock(),
  };
  const files: RunTexts = {};
  for await (const event of new Run(inputs).events())
    for (const { file, text } of appendsOf(event)) files[file] = file === "run.json" ? text : (files[file] ?? "") + text;
  return files;
}

/** Writes texts into a new folder; gives its path. */
export function folderOf(files: RunTexts): string {
  const folder = mkdtempSync(join(tmpdir(), "errata-run-"));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}
