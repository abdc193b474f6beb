// errata exam, quiz and eval: what is taken where no flag says otherwise.
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { configOf, PRESET_NAMES } from "../../src/ap2o/presets.ts";
import { readFlags } from "../../src/cli/flags.ts";
import { examSettings } from "../../src/cli/run_command.ts";
import { mannerOf, problemsOf, SITTING_COMMANDS, settingsOf } from "../../src/cli/sitting_commands.ts";
import { settingsThatDiffer } from "../../src/cli/sitting_folder.ts";

const [exam, quiz, evaluation] = SITTING_COMMANDS.map(
  ({ name, flags }) =>
    (...args: string[]) =>
      readFlags(name, flags, args),
);
const model = { id: "m", sha256: "1", dtype: "f32" } as const;

test.each(PRESET_NAMES)("an exam of preset %s is one that a run of that preset takes", (preset) => {
  const values = exam!("--preset", preset);
  const manner = mannerOf("exam", values);
  const sat = settingsOf("exam", { seed: 0, split_seed: 0, problems_sha256: "2", adapter_sha256: "" }, manner, model);
  expect(settingsThatDiffer(sat, examSettings(configOf(preset, "dpo", 0, {}), model, "2"))).toEqual([]);
  expect(manner.n).toBe(configOf(preset, "dpo", 0, {}).exam_n);
});

test("without --preset an exam is one for a run without --preset", () => {
  expect(exam!().preset).toBe("demo");
  expect(mannerOf("exam", exam!())).toEqual({ n: 32, temperature: 1, maxNewTokens: 110, style: "raw", timeoutMs: 500 });
});

test("an exam of an adapter does not stand for the model's own", () => {
  const sat = settingsOf("exam", { seed: 0, split_seed: 0, problems_sha256: "2", adapter_sha256: "3" }, mannerOf("exam", exam!()), model);
  expect(settingsThatDiffer(sat, examSettings(configOf("demo", "dpo", 0, {}), model, "2"))).toEqual(["adapter_sha256 (3 there,  here)"]);
});

test("quiz and eval take the preset's habits; what a flag says goes before them", () => {
  expect(mannerOf("quiz", quiz!("--preset", "paper"))).toMatchObject({ n: 1, temperature: 0.01, timeoutMs: 3000, style: "ap2o" });
  expect(mannerOf("eval", evaluation!())).toMatchObject({ n: 10, temperature: 0.6, timeoutMs: 1000 });
  const flags = ["-n", "3", "--temperature", "0", "--max-new-tokens", "7", "--prompt-style", "chat", "--timeout-ms", "2500"];
  expect(mannerOf("eval", evaluation!(...flags))).toEqual({ n: 3, temperature: 0, maxNewTokens: 7, style: "chat", timeoutMs: 2500 });
});

test("splits do not follow the seed: an exam of one seed has the training problems of runs of another", () => {
  const sat = settingsOf("exam", { seed: 5, split_seed: 0, problems_sha256: "2", adapter_sha256: "" }, mannerOf("exam", exam!()), model);
  expect(settingsThatDiffer(sat, examSettings(configOf("demo", "dpo", 2, {}), model, "2"))).toEqual([]);
  const other = examSettings(configOf("demo", "dpo", 2, { split_seed: 1 }), model, "2");
  expect(settingsThatDiffer(sat, other)).toEqual(["split_seed (0 there, 1 here)"]);
});

test("a file whose format has one split alone is taken whole, unless a split is named", () => {
  const file = join(mkdtempSync(join(tmpdir(), "errata-sitting-")), "h.jsonl");
  const row = (i: number) => ({ task_id: `HumanEval/${i}`, prompt: `# ${i}`, entry_point: "f", test: `assert f(${i})` });
  writeFileSync(file, [0, 1, 2, 3].map((i) => `${JSON.stringify(row(i))}\n`).join(""));
  expect(problemsOf("exam", exam!("--problems", file))).toHaveLength(4);
  expect(() => problemsOf("exam", exam!("--problems", file, "--split", "train"))).toThrow("There is no train problem in it");
  expect(problemsOf("exam", exam!()).every(({ split }) => split === "train")).toBe(true); // the embedded problems name theirs
});
