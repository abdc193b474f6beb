// Whole windows: every failed answer of each window once per epoch, and replay beside them.
import { expect, test } from "vitest";
import { curriculumOf, quizSteps, totalSteps } from "../../src/ap2o/methods.ts";
import { replayDraws } from "../../src/ap2o/replay.ts";
import { windowAt } from "../../src/ap2o/window.ts";
import { countEach } from "../../src/counts.ts";
import type { Notebook, Preference } from "../../src/records.ts";
import { checkRun } from "./check_run.mjs";
import { fakeRunFiles } from "./fake_run.ts";
import { fakeConfig } from "./fakes.ts";

const TYPES = ["NameError", "TypeError", "AssertionError", "AssertionError", "AssertionError"];

/** Problems of so many failed answers each. */
function notebookOf(...sizes: number[]): Notebook {
  const problems = sizes.map((size, p) => {
    const failed = Array.from({ length: size }, (_, i) => ({ sample_index: 10 + i, error_type: TYPES[i % TYPES.length]! }));
    return { task_id: `Fake/${p}`, counts: countEach(failed.map(({ error_type }) => error_type)), passed: [0, 1, 2, 3, 4], failed };
  });
  return { rule: "paper", scope: "problem", counts: {}, problems, dropped: [] };
}

const options = { seed: 3, rule: "paper", totalPairs: 0, pairs_per_epoch: "window" } as const;
const before = { batchStart: 0, quizErrors: null };

test.each([
  ["ap2o-l2h", 1],
  ["ap2o-l2h", 5],
  ["ap2o-h2l-noreplay", 7],
  ["ap2o-h2l", 49], // 49 x (49 / 49) is 49, but not in doubles for every other such pair
  ["ap2o-l2h-noreplay", 60], // more epochs than failed answers: windows of one
] as const)("%s, %i epochs: each epoch goes through every window once, all of them through every failed answer", (method, epochs) => {
  const notebook = notebookOf(7, 49, 2, 18);
  const curriculum = curriculumOf(method, notebook, { ...options, epochs });
  const draws = Array.from({ length: curriculum.turns! }, (_, i) => curriculum.pairAt(i, before));
  for (let epoch = 0; epoch < epochs; epoch++) {
    const here = draws.filter((draw) => Math.floor(draw.epoch) === epoch);
    for (const [p, { failed }] of notebook.problems.entries()) {
      const [from, to] = windowAt(failed.length, epochs, epoch);
      const own = here.filter(({ problem }) => problem === p);
      expect(own.length).toBe(epoch === epochs - 1 ? failed.length - from : to - from);
      expect(new Set(own.map(({ rejected }) => rejected)).size).toBe(own.length);
      expect(new Set(own.map(({ window }) => String(window))).size).toBe(1);
    }
  }
  const visited = new Set(draws.map(({ problem, rejected }) => `${problem} ${rejected}`));
  expect(visited.size).toBe(7 + 49 + 2 + 18);
  if (epochs <= 2) expect(draws).toHaveLength(visited.size);
  expect(draws.every(({ source, probability }) => source === "window" && probability === 1)).toBe(true);
});

test("every list and number of epochs: nothing is left out, whatever doubles make of the last window's end", () => {
  for (let failed = 2; failed <= 60; failed++) {
    for (let epochs = 1; epochs <= failed; epochs++) {
      const curriculum = curriculumOf("ap2o-l2h-noreplay", notebookOf(failed), { ...options, epochs });
      expect([failed, epochs, curriculum.turns]).toEqual([failed, epochs, failed]);
    }
  }
});

test("the windows go from the frequent errors to the rare ones (H2L) and back (L2H), the problems mixed in an order of each epoch's own", () => {
  const notebook = notebookOf(10, 10);
  const types = (method: "ap2o-h2l" | "ap2o-l2h") => {
    const curriculum = curriculumOf(method, notebook, { ...options, epochs: 5 });
    const draws = Array.from({ length: 20 }, (_, i) => curriculum.pairAt(i, before));
    expect(new Set(draws.slice(0, 4).map(({ problem }) => problem)).size).toBe(2);
    return draws.map(({ error_type }) => error_type === "AssertionError");
  };
  expect(types("ap2o-h2l")).toEqual([...Array(12).fill(true), ...Array(8).fill(false)]);
  expect(curriculumOf("ap2o-l2h", notebook, { ...options, epochs: 5 }).pairAt(0, before).window).toEqual([0, 2]);
});

test("replay: one answer of the problem beside each turn, types by their share of the quiz; none before a quiz, or of types that it lacks", () => {
  const notebook = notebookOf(40);
  const curriculum = curriculumOf("ap2o-l2h", notebook, { ...options, epochs: 1 });
  const types = notebook.problems[0]!.failed.map(({ error_type }) => error_type);
  const quizErrors = { AssertionError: 1, NameError: 3, KeyError: 9 };
  const replayed = Array.from({ length: 40 }, (_, i) => curriculum.replayAt!(i, { batchStart: 0, quizErrors })!);
  expect(replayed.every(({ source }) => source === "replay")).toBe(true);
  expect(replayed.map(({ pair }) => pair)).toEqual(Array.from({ length: 40 }, (_, i) => 2 * i + 1));
  expect([...replayDraws("paper", types, 40, quizErrors).values()].reduce((sum, count) => sum + count)).toBe(40); // as many as the window holds
  const names = replayed.filter(({ error_type }) => error_type === "NameError");
  expect(names.length).toBeGreaterThan(20);
  expect(new Set(replayed.map(({ error_type }) => error_type))).toEqual(new Set(["NameError", "AssertionError"]));
  expect(names[0]!.probability).toBeCloseTo(0.75 / 8, 12); // 8 of the 40
  expect(curriculum.replayAt!(3, before)).toBeNull();
  expect(curriculum.replayAt!(3, { batchStart: 0, quizErrors: { KeyError: 2 } })).toBeNull();
  const without = curriculumOf("ap2o-l2h-noreplay", notebook, { ...options, epochs: 1 });
  expect(without.replayAt!(3, { batchStart: 0, quizErrors })).toBeNull();
});

test("the number of steps follows from the windows; steps ends a run early", () => {
  const notebook = notebookOf(7, 50, 2, 18);
  const length = { method: "ap2o-l2h", steps: 0, epochs: 2, batch_size: 4, quiz_steps: 0, pairs_per_epoch: "window" } as const;
  expect(totalSteps(length, notebook)).toBe(20); // 77 answers
  expect([totalSteps({ ...length, steps: 3 }, notebook), totalSteps({ ...length, steps: 99 }, notebook)]).toEqual([3, 20]);
  expect(quizSteps(length, curriculumOf("ap2o-l2h", notebook, { ...options, epochs: 2 }).pairsPerEpoch)).toBe(10);
});

test("it goes with AP2O by the paper's rule alone", () => {
  expect(() => fakeConfig({ pairs_per_epoch: "window" }, "dyn-dpo")).toThrow("pairs_per_epoch: dyn-dpo has no windows");
  expect(() => fakeConfig({ pairs_per_epoch: "window", rule: "reference" })).toThrow("pairs_per_epoch: not window by rule reference");
  expect(() => fakeConfig({ pairs_per_epoch: 2 })).toThrow("pairs_per_epoch: ");
  expect(fakeConfig().pairs_per_epoch).toBe(1);
});

const settings = { pairs_per_epoch: "window", epochs: 3, steps: 0, quiz_steps: 0 };

test.each(["ap2o-h2l", "ap2o-l2h", "ap2o-l2h-noreplay"])("%s: a whole run, worked out anew from its files", async (method) => {
  const files = await fakeRunFiles(method, settings);
  const { problems, checked } = checkRun(files);
  expect(problems).toEqual([]);
  expect(checked["pair N source"]).toBeGreaterThan(30);
  const run = JSON.parse(files["run.json"]!);
  const pairs: Preference[] = files["preferences.jsonl"]!.trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect([run.epochs, run.pairs, run.totalSteps]).toEqual([3, pairs.length, pairs.at(-1)!.step]);
  const replayed = pairs.filter(({ source }) => source === "replay").length;
  expect(replayed > 0).toBe(!method.endsWith("noreplay"));
});
