// A run that is killed anywhere and goes on gives the same files as one that never was: on a student and a judge without GPU or Python.
import { expect, test } from "vitest";
import type { RunConfig } from "../../src/ap2o/config.ts";
import { Run } from "../../src/ap2o/run.ts";
import { appendsOf } from "../../src/ap2o/run_files.ts";
import type { Keeper } from "../../src/ap2o/run_state.ts";
import { integer } from "../../src/random.ts";
import type { Preference } from "../../src/records.ts";
import { carefulKeeper } from "../../src/storage/careful_keeper.ts";
import { type RunHead, RunKeeper, readStoredRun } from "../../src/storage/run_store.ts";
import { FakeJudge, FakeStudent, fakeClock, fakeConfig, fakeProblems } from "../ap2o/fakes.ts";
import { Killed, MemoryFolder } from "./memory_folder.ts";

const SMALL = { exam_n: 6, evaluation_n: 3, quiz_n: 3, steps: 9, quiz_steps: 3, batch_size: 2 };
const config = fakeConfig(SMALL);
const head: RunHead = {
  id: "run",
  started: "2026-01-01",
  preset: "smoke",
  config,
  model: { id: "fake", dtype: "f32", sha256: "0" },
  problems: "0",
  device: "none",
  kernels: {},
};

type Files = Record<string, string>;

/** Skill rises and falls, so that the best step is neither the first nor the last. */
const newFakeStudent = (batch = 5) => new FakeStudent({ gain: (step) => (step <= 6 ? 0.06 : -0.2), batch });

/** Begins the folder's run or goes on with it, to its end; gives its files. Throws Killed where the folder does. */
async function process(
  folder: MemoryFolder,
  settings = config,
  batch?: number,
  student = newFakeStudent(batch),
  careful: (keeper: Keeper) => Keeper = (keeper) => keeper,
): Promise<Files> {
  const now = fakeClock();
  const past = await readStoredRun(folder);
  const keeper = careful(await (past ? RunKeeper.goOn(folder, past, now) : RunKeeper.begin(folder, head, now)));
  const inputs = { preset: "smoke", config: settings, problems: fakeProblems(4), student, judge: new FakeJudge(false), now, keeper };
  const run = new Run({ ...inputs, ...(past && { past }) });
  const files: Files = {};
  for await (const event of run.events()) for (const { file, text } of appendsOf(event)) files[file] = (files[file] ?? "") + text;
  const { best, last, run: record } = await run.kept();
  files["run.json"] = JSON.stringify(record, null, 2);
  files.best = String(best.tensors.get("skill")!.data[0]);
  files.last = String(last.tensors.get("skill")!.data[0]);
  return withoutTimes(files);
}

const withoutTimes = (files: Files): Files =>
  Object.fromEntries(
    Object.entries(files).map(([file, text]) => [file, text.replace(/"seconds": \{[^}]*\}|"tokens_per_second":[^,}]*/g, "")]),
  );

/** Kills at the operations given, one after the other, then lets it end. */
async function killedAt(points: readonly { at: number; tornAt: number }[], settings?: RunConfig): Promise<Files> {
  let folder = new MemoryFolder();
  for (const { at, tornAt } of points) {
    folder.killAt = at;
    folder.tornAt = tornAt;
    try {
      return await process(folder, settings);
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      folder = folder.survivor();
    }
  }
  return process(folder, settings, 3);
}

/** The texts of the pairs that were trained on. */
const pairsOf = (files: Files): string[] =>
  files["preferences.jsonl"]!.trim()
    .split("\n")
    .map((line) => {
      const { prompt, chosen, rejected }: Preference = JSON.parse(line);
      return JSON.stringify([prompt, chosen, rejected]);
    });

const whole = new MemoryFolder();
const expected = await process(whole);

test("killed at any single write, with none, half or all of it done: the same files", async () => {
  expect(whole.operations).toBeGreaterThan(40);
  for (let at = 1; at <= whole.operations; at++) {
    expect(await killedAt([{ at, tornAt: [0, 0.5, 1][at % 3]! }]), `killed at operation ${at}`).toEqual(expected);
  }
});

test("killed again and again: the same files", async () => {
  for (let round = 0; round < 20; round++) {
    const points = Array.from({ length: 6 }, (_, i) => ({ at: 1 + integer(1, round, i, 30), tornAt: integer(2, round, i, 3) / 2 }));
    expect(await killedAt(points), JSON.stringify(points)).toEqual(expected);
  }
});

test("a run that goes on takes no step twice but those after its checkpoint, and asks nothing that is answered", async () => {
  const folder = new MemoryFolder();
  folder.killAt = whole.operations - 2; // in the last evaluation
  await expect(process(folder)).rejects.toThrow(Killed);
  const past = (await readStoredRun(folder.survivor()))!;
  expect(past.checkpoint?.step).toBe(9);
  const student = newFakeStudent();
  let asked = 0;
  const write = student.write.bind(student);
  student.write = (questions, options) => {
    asked += questions.length;
    return write(questions, options);
  };
  const run = new Run({ preset: "smoke", config, problems: fakeProblems(4), student, judge: new FakeJudge(false), now: fakeClock(), past });
  for await (const _ of run.events());
  expect(asked).toBeGreaterThan(0);
  expect(asked).toBeLessThanOrEqual(2 * 4 * 3);
  expect(student.lessons.filter((lesson) => lesson !== undefined)).toEqual([]);
});

test("files are not taken while what was known is told again: they would say one step, and hold the weights of another", async () => {
  const folder = new MemoryFolder();
  folder.killAt = whole.operations - 2;
  await expect(process(folder)).rejects.toThrow(Killed);
  const past = (await readStoredRun(folder.survivor()))!;
  const inputs = { preset: "smoke", config, problems: fakeProblems(4), student: newFakeStudent(), judge: new FakeJudge(false) };
  const run = new Run({ ...inputs, now: fakeClock(), past });
  for await (const event of run.events()) if (event.type === "step") break;
  expect([run.steps, run.caughtUp]).toEqual([1, false]);
  await expect(run.kept()).rejects.toThrow("The run has not caught up with where it was stopped");
});

test("a reference is computed once, however often a run is killed and takes its steps again", async () => {
  let computed = 0;
  let folder = new MemoryFolder();
  for (let at = 10; ; ) {
    folder.killAt = at;
    const student = newFakeStudent();
    try {
      await process(folder, config, 5, student);
      expect(computed + student.computed).toBe(new Set(pairsOf(expected)).size);
      return;
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      computed += student.computed;
      folder = folder.survivor();
      at += 3;
    }
  }
});

test("two checkpoints are kept; where the latest is torn anywhere, the one before is used, with a sentence", async () => {
  const folder = new MemoryFolder();
  folder.killAt = whole.operations - 2;
  await expect(process(folder)).rejects.toThrow(Killed);
  const names = [...folder.files.keys()].filter((path) => path.startsWith("checkpoint-")).sort();
  expect(names.length).toBe(2);
  const latest = folder.files.get(names[1]!)!;
  for (const share of [0, 0.01, 0.3, 0.7, 0.99]) {
    const torn = folder.survivor();
    torn.files.set(names[1]!, latest.slice(0, latest.length * share));
    const past = (await readStoredRun(torn))!;
    expect(past.checkpoint?.step).toBeLessThan(9);
    expect(past.warnings.slice(-1)).toEqual([expect.stringMatching(/checkpoint-00000009 is damaged: .*; the one before it is used\.$/)]);
    expect(await process(torn)).toEqual(expected);
  }
});

test("a journal torn or changed at any place: what is whole is used, and the files are the same", async () => {
  const folder = new MemoryFolder();
  folder.killAt = whole.operations - 2;
  await expect(process(folder)).rejects.toThrow(Killed);
  const journal = folder.files.get("journal")!;
  for (let i = 0; i < 40; i++) {
    const torn = folder.survivor();
    const at = integer(3, 0, i, journal.length);
    const changed = journal.slice(0, i % 2 === 0 ? at : undefined);
    if (i % 2 === 1) changed[at]! ^= 1 << integer(4, 0, i, 8);
    torn.files.set("journal", changed);
    expect(await process(torn), `${i % 2 === 0 ? "cut" : "changed"} at ${at}`).toEqual(expected);
  }
});

test("checkpoints beyond a torn journal, damaged ones and another run's go, so that those that follow are kept", async () => {
  const folder = new MemoryFolder();
  folder.killAt = whole.operations - 2;
  await expect(process(folder)).rejects.toThrow(Killed);
  const journal = new TextDecoder().decode(folder.files.get("journal"));
  const fourth = journal.indexOf('"step":4,');
  const torn = folder.survivor();
  torn.files.set("journal", new TextEncoder().encode(journal.slice(0, fourth)));
  torn.files.set("checkpoint-00000777", Uint8Array.of(1, 2, 3));
  const steps = () => [...torn.files.keys()].filter((path) => path.startsWith("checkpoint-")).map((path) => Number(path.slice(-8)));
  expect(Math.max(...steps())).toBeGreaterThan(4);
  expect((await readStoredRun(torn))!.checkpoint).toBeNull();
  const again = torn.survivor();
  again.killAt = 12; // behind the checkpoint after step 3
  await expect(process(again)).rejects.toThrow(Killed);
  expect((await readStoredRun(again.survivor()))!.checkpoint?.step).toBe(3);
  expect(await process(torn)).toEqual(expected);
});

test("a storage that is full at any write: the run ends all the same, with a sentence, and can go on from what was kept", async () => {
  for (let at = 5; at <= whole.operations; at++) {
    const folder = new MemoryFolder();
    folder.killAt = at;
    folder.tornAt = [0, 0.5, 1][at % 3]!;
    folder.failure = () => new DOMException("full", "QuotaExceededError");
    const told: string[] = [];
    const careful = (keeper: Keeper) => carefulKeeper(keeper, (message) => void told.push(message));
    expect(await process(folder, config, 5, newFakeStudent(), careful), `full at operation ${at}`).toEqual(expected);
    expect(told).toEqual([
      expect.stringMatching(/^The browser's storage is full: .* The run goes on, but .*: save its files when it ends\.$/),
    ]);
    expect(folder.operations).toBe(at);
    const room = folder.survivor();
    expect(await process(room), `gone on after it was full at operation ${at}`).toEqual(expected);
  }
});

test("a journal of another version is refused, not overwritten", async () => {
  const folder = new MemoryFolder();
  folder.files.set("journal", new TextEncoder().encode("errata-journal 1\nwhatever comes then\n"));
  await expect(readStoredRun(folder)).rejects.toThrow(
    "memory/journal was written by another version of Errata (format 1, this one reads 2): finish the run with that version, or delete it.",
  );
});

test("a step without finite numbers is the same after going on", async () => {
  class Stumbling extends FakeStudent {
    override async learn(batch: Parameters<FakeStudent["learn"]>[0]) {
      const metrics = await super.learn(batch);
      return this.lessons.length === 2 ? { ...metrics, loss: Number.NaN, grad_norm: Number.NaN } : metrics;
    }
  }
  const folder = new MemoryFolder();
  const pull = async (past: Awaited<ReturnType<typeof readStoredRun>>) => {
    const now = fakeClock();
    const keeper = await (past ? RunKeeper.goOn(folder, past, now) : RunKeeper.begin(folder, head, now));
    const inputs = {
      preset: "smoke",
      config,
      problems: fakeProblems(4),
      student: new Stumbling(),
      judge: new FakeJudge(false),
      now,
      keeper,
    };
    const steps: number[] = [];
    for await (const event of new Run({ ...inputs, ...(past && { past }) }).events())
      if (event.type === "step") steps.push(event.metrics.loss);
    return steps;
  };
  const steps = await pull(null);
  expect(steps[1]).toBeNaN();
  expect(await pull(await readStoredRun(folder))).toEqual(steps);
});

test("IterPref, whose repairs are sittings of their own: killed anywhere, the same files", async () => {
  const settings = fakeConfig({ ...SMALL, codeflow_n: 2, codeflow_rounds: 3 }, "iterpref");
  const folder = new MemoryFolder();
  const once = await process(folder, settings);
  expect(once["samples.jsonl"]).toContain('"phase":"repair"');
  for (let at = 2; at <= folder.operations; at += 5) {
    expect(await killedAt([{ at, tornAt: [0, 0.5, 1][at % 3]! }], settings), `killed at operation ${at}`).toEqual(once);
  }
});
