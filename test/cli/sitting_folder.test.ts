// The folder of a sitting: what is known of it, and that another one's is refused.
import { expect, test } from "vitest";
import { readAnswers, readExam, readSettings, type SittingSettings, settingsThatDiffer } from "../../src/cli/sitting_folder.ts";
import { InputError } from "../../src/input_error.ts";
import { fakeRunFiles, folderOf } from "../ap2o/fake_run.ts";

const settings: SittingSettings = {
  ...{ sitting: "exam", model: "m", model_sha256: "1", dtype: "f32", adapter_sha256: "", problems_sha256: "2", seed: 1 },
  ...{ temperature: 1, max_new_tokens: 110, prompt_style: "raw", timeout_ms: 500 },
};
const run = await fakeRunFiles("ap2o-h2l");
const exam = { "samples.jsonl": run["samples.jsonl"]!, "results.jsonl": run["results.jsonl"]!, "sitting.json": JSON.stringify(settings) };

test("answers by task, those of other phases left out", () => {
  const answers = readAnswers(folderOf(exam), "exam");
  expect([answers.size, ...[...answers.values()].map(({ length }) => length)]).toEqual([8, ...Array(8).fill(20)]);
  const [first] = answers.get("Fake/train/3")!;
  expect(first).toMatchObject({ task_id: "Fake/train/3", phase: "exam", sample_index: 0 });
});

test("a sitting that was killed: a torn last line, a sample without its result, and what comes after a gap do not count", () => {
  const samples = exam["samples.jsonl"].split("\n").filter((line) => line.includes('"Fake/train/0"') && line.includes('"exam"'));
  const results = exam["results.jsonl"].split("\n").filter((line) => line.includes('"Fake/train/0"') && line.includes('"exam"'));
  const torn = (lines: string[]) => `${lines.join("\n")}`;
  const of = (files: Record<string, string>) => readAnswers(folderOf(files), "exam").get("Fake/train/0")?.length;
  expect(of({ "samples.jsonl": torn(samples.slice(0, 6)), "results.jsonl": `${torn(results)}\n` })).toBe(5);
  expect(of({ "samples.jsonl": `${torn(samples)}\n`, "results.jsonl": `${torn(results.slice(0, 4))}\n` })).toBe(4);
  expect(of({ "samples.jsonl": `${torn(samples)}\n`, "results.jsonl": `${torn(results.filter((_, i) => i !== 7))}\n` })).toBe(7);
});

test("settings: equal ones have no difference; others are named with both values", () => {
  expect(readSettings(folderOf(exam))).toEqual(settings);
  expect(readSettings(folderOf(run))).toBeNull(); // a run's folder is no sitting's: it must not be gone on with
  expect(settingsThatDiffer(settings, settings)).toEqual([]);
  expect(settingsThatDiffer(settings, { ...settings, seed: 2, temperature: 0.6 })).toEqual([
    "seed (1 there, 2 here)",
    "temperature (1 there, 0.6 here)",
  ]);
});

test("an exam for a run: from its own folder, of the run's settings or refused", () => {
  const { answers, seed, sha256 } = readExam(folderOf(exam), { temperature: 1, timeout_ms: 500 });
  expect([answers.size, seed, sha256.length]).toEqual([8, 1, 64]);
  expect(() => readExam(folderOf(exam), { timeout_ms: 1000 })).toThrow("timeout_ms (500 there, 1000 here)");
  expect(() => readExam(folderOf(exam), { model_sha256: "9" })).toThrow(InputError);
  expect(() => readExam(folderOf({}), {})).toThrow("holds no exam");
  expect(() => readExam(folderOf({ ...exam, "sitting.json": JSON.stringify({ ...settings, sitting: "eval" }) }), {})).toThrow(
    "sitting (eval there, exam here)",
  );
});

test("an exam of another run's folder", () => {
  const record = { ...JSON.parse(run["run.json"]!), model: { id: "m", sha256: "1", dtype: "f32" } };
  const folder = folderOf({ ...run, "run.json": JSON.stringify(record) });
  expect(readExam(folder, { model_sha256: "1", problems_sha256: "whatever", temperature: 1 }).seed).toBe(7);
});
