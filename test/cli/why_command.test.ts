// errata why on a run's folder.
import { expect, test } from "vitest";
import type { Reason } from "../../src/ap2o/why.ts";
import { whyCommand } from "../../src/cli/why_command.ts";
import { InputError } from "../../src/input_error.ts";
import { integer, shuffled, streamOf } from "../../src/random.ts";
import type { Notebook } from "../../src/records.ts";
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

test("the random streams that it names are those that decided, also where a batch goes from one epoch to the next", async () => {
  for (const [method, overrides] of [
    ["ap2o-h2l", {}],
    ["ap2o-l2h", { rule: "reference" }],
    ["dyn-dpo", {}],
    ["sft", {}],
  ] as const) {
    const texts = await fakeRunFiles(method, { batch_size: 3, ...overrides });
    const { problems }: Notebook = JSON.parse(texts["notebook.json"]!);
    const run = folderOf(texts);
    for (let step = 1; step <= 15; step++) {
      const reasons: Reason[] = JSON.parse((await why(run, step, true))[0]!).pairs;
      for (const { pair, task_id, chosen, rejected, streams } of reasons) {
        const problem = problems.find((candidate) => candidate.task_id === task_id)!;
        const [order, first, second] = streams;
        expect(shuffled(problems, 7, streamOf(order!.stream))[pair! % problems.length]).toBe(problem);
        expect(problem.passed[integer(7, streamOf(first!.stream), first!.indices[0]!, problem.passed.length)]).toBe(chosen.sample_index);
        if (method !== "dyn-dpo") continue;
        const drawn = problem.failed[integer(7, streamOf(second!.stream), second!.indices[0]!, problem.failed.length)]!;
        expect(drawn.sample_index).toBe(rejected!.sample_index);
      }
    }
  }
});

test.each([
  ["dpo", {}, "  random    draw/pairs\n"],
  ["curri-dpo", {}, "  random    nothing: the order is fixed\n"],
  ["curri-dpo", { rule: "reference" }, "  random    draw/trainer/0\n"],
  ["dyn-dpo", { shuffle_verdicts: true }, "shuffle_verdicts/Fake/train/"],
  ["ap2o-h2l", { pairs_per_epoch: "window", epochs: 2 }, "draw/turns/1, draw/chosen at "],
])("%s %j: its own streams", async (method, overrides, words) => {
  const text = (await why(folderOf(await fakeRunFiles(method, overrides)), 7, false)).join("\n");
  expect(text).toContain(words);
  expect(text.includes("draw/problems")).toBe(method === "dyn-dpo");
  expect(text).not.toContain("NOTE");
});

test("whole windows: a turn in the window is certain, what is replayed beside it has its chance", async () => {
  const text = (await why(folderOf(await fakeRunFiles("ap2o-h2l", { pairs_per_epoch: "window", epochs: 2 })), 7, false)).join("\n");
  expect(text).toMatch(/in the window \[\d+, \d+\) of \d+ \(width [\d.]+\), with probability 1\.0000; the quiz at step 5 found/);
  expect(text).toMatch(/replayed beside the window .* with probability 0\.\d+; the quiz at step 5 found/);
  expect(text).not.toContain("NOTE");
});

test("IterPref: what was repaired from what, and the streams of its chains", async () => {
  const text = (await why(folderOf(await fakeRunFiles("iterpref")), 7, false)).join("\n");
  expect(text).toMatch(/chosen {4}answer \d+, what the model made of answer \d+\n/);
  expect(text).toMatch(/random {4}codeflow\/Fake\/train\/\d, codeflow\/rejected\/Fake\/train\/\d\/\d+ at 0, draw\/pairs\n/);
  for (const [, repaired, from] of text.matchAll(/chosen {4}answer (\d+), what the model made of answer (\d+)/g)) {
    expect(Math.floor((Number(repaired) - 20) / 5)).toBe(Number(from));
    expect(text).toMatch(new RegExp(`codeflow/rejected/Fake/train/\\d/${from} at 0`));
  }
  expect(text).not.toContain("that passed,");
});

test("without replay nothing is said of quizzes; DPO has all pairs, and none of them by chance", async () => {
  const noReplay = (await why(folderOf(await fakeRunFiles("ap2o-l2h-noreplay")), 12, false)).join("\n");
  expect(noReplay).toContain("in the window");
  expect(noReplay).not.toContain("quiz");
  expect((await why(folderOf(await fakeRunFiles("dpo")), 3, false)).join("\n")).toMatch(
    /each of the \d+ failed answers is paired with each/,
  );
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
