// errata why on a run's folder.
import { expect, test } from "vitest";
import type { Reason } from "../../src/ap2o/why.ts";
import { whyCommand } from "../../src/cli/why_command.ts";
import { InputError } from "../../src/input_error.ts";
import { fakeRunFiles, folderOf } from "../ap2o/fake_run.ts";

async function why(run: string | null, step: number | null, json: boolean): Promise<string[]> {
  const lines: string[] = [];
  const progress = { show: () => {}, say: () => {}, end: () => {} };
  await whyCommand.run(
    { run, step, json },
    { print: (line) => void lines.push(line), progress, interrupted: new AbortController().signal },
    "",
  );
  return lines;
}

const files = await fakeRunFiles("ap2o-h2l");
const folder = folderOf(files);
const preferences = files["preferences.jsonl"]!.trim()
  .split("\n")
  .map((line) => JSON.parse(line));

test("--json: every pair of the step, its chances worked out anew, its window marked in the order", async () => {
  const [line] = await why(folder, 12, true);
  const { pairs, method } = JSON.parse(line!) as { pairs: Reason[]; method: string };
  expect(method).toBe("ap2o-h2l");
  expect(pairs).toHaveLength(8);
  pairs.forEach((reason, i) => {
    const recorded = preferences.filter(({ step }) => step === 12)[i];
    expect(reason.rejected!.sample_index).toBe(recorded.rejected_index);
    expect(reason.probability_again).toBeCloseTo(recorded.probability, 12);
    expect(reason.order.filter(({ in_window }) => in_window)).toHaveLength(recorded.window[1] - recorded.window[0]);
    expect([reason.seed, reason.pair]).toEqual([7, 11 * 8 + i]);
    expect(reason.replay!.quiz_step).toBe(10);
    if (reason.source === "window")
      expect(reason.order.find(({ sample_index }) => sample_index === recorded.rejected_index)!.in_window).toBe(true);
  });
});

test("text: a paragraph per pair with problem, answers, order, window or replay, quiz and seed", async () => {
  const text = (await why(folder, 12, false)).join("\n");
  for (const { task_id, chosen_index, rejected_index } of preferences.filter(({ step }) => step === 12)) {
    expect(text).toContain(task_id);
    expect(text).toContain(`answer ${chosen_index}, one of`);
    expect(text).toContain(`answer ${rejected_index}, `);
  }
  expect(text).toMatch(
    /replayed beside the window \[\d+, \d+\) of \d+ \(width [\d.]+\), with probability 0\.\d+; the quiz at step 10 found/,
  );
  expect(text).toMatch(/in the window/);
  expect(text).toContain("Seed 7;");
  expect(text).not.toContain("NOTE");
});

test("before the first quiz nothing is replayed, and it says so", async () => {
  expect((await why(folder, 3, false)).join("\n")).toContain("no quiz had sent anything back yet");
});

test("a probability that does not follow from the files is noted", async () => {
  const changed = folderOf({
    ...files,
    "preferences.jsonl": files["preferences.jsonl"]!.replaceAll(/"probability":[\d.e-]+/g, '"probability":0.123'),
  });
  expect((await why(changed, 12, false)).join("\n")).toContain("not the 0.123 that was recorded");
});

test.each(["sft", "dpo", "dyn-dpo", "iterpref", "ap2o-l2h-noreplay"])("%s: tells its pairs, too", async (method) => {
  const text = (await why(folderOf(await fakeRunFiles(method)), 7, false)).join("\n");
  expect(text).toContain(`Step 7 of ${method}`);
  if (method === "iterpref") expect(text).toMatch(/repaired afterwards|never repaired/);
  if (method === "sft") expect(text).toContain("SFT learns from right answers alone");
});

test.each([
  ["a step that was not taken", folder, 99, "The run has no pairs of step 99: it took steps 1 to 15."],
  ["a folder that is no run", folderOf({}), 1, "run.json: there is no such file"],
  ["a run whose notebook is torn", folderOf({ ...files, "notebook.json": "{" }), 1, "notebook.json: it is not JSON."],
  [
    "a line that is not as a run writes it",
    folderOf({ ...files, "preferences.jsonl": '{"step":1}\n' }),
    1,
    "preferences.jsonl, line 1: task_id",
  ],
])("%s is refused in one sentence", async (_, run, step, sentence) => {
  await expect(why(run, step, false)).rejects.toThrow(InputError);
  await expect(why(run, step, false)).rejects.toThrow(sentence);
});
