// The browser's shelf of runs, on a folder in memory, and what becomes of a run when its storage fails.
import { expect, test } from "vitest";
import type { RunCheckpoint, RunEntry } from "../../src/ap2o/run_state.ts";
import { carefulKeeper, reasonOf } from "../../src/storage/careful_keeper.ts";
import { subfolder } from "../../src/storage/folder.ts";
import { problemsChecksum, RunShelf } from "../../src/storage/run_shelf.ts";
import { drifts, type RunHead, RunKeeper } from "../../src/storage/run_store.ts";
import { fakeConfig } from "../ap2o/fakes.ts";
import { Killed, MemoryFolder } from "../faults/memory_folder.ts";

const problems = [{ taskId: "T" }];
const digest = await problemsChecksum(problems);
const head = (id: string, started: string): RunHead => ({
  id,
  started,
  preset: "smoke",
  config: fakeConfig(),
  model: { id: "fake", dtype: "f16", sha256: "0" },
  problems: digest,
  device: "none",
  kernels: {},
});
const seconds = { exam: 1, analysis: 0, correction: 0, quiz: 0, evaluation: 0, firstStep: null };
const metrics = {
  step: 1,
  epoch: 0,
  loss: 1,
  grad_norm: 1,
  learning_rate: 1,
  entropy: 1,
  num_tokens: 1,
  mean_token_accuracy: 1,
  tokens_per_second: 1,
};
const entry: RunEntry = { type: "step", metrics, tokens: 5, flops: 6, referenceFlops: 7, seconds };
const file = (path: string, text: string) => ({ path, bytes: new TextEncoder().encode(text) });
const now = () => 0;

test("lists runs with their sizes, the latest first; a finished one gives its files, and a deleted one is gone", async () => {
  const folder = new MemoryFolder();
  const shelf = new RunShelf(folder);
  const first = await shelf.begin(head("first", "2026-01-01"), problems, null, now);
  await first.note(entry);
  await shelf.begin(head("second", "2026-01-02"), problems, [file("adapter_config.json", "{}")], now);
  expect((await shelf.list()).map(({ id, steps, finished }) => [id, steps, finished])).toEqual([
    ["second", 0, false],
    ["first", 1, false],
  ]);
  expect((await shelf.open("first")).problems).toEqual(problems);
  expect((await shelf.open("first")).start).toBeNull();
  expect((await shelf.open("second")).start?.map(({ path }) => path)).toEqual(["adapter_config.json"]);
  await expect(shelf.files("first")).rejects.toThrow("This run is not finished");

  const record = JSON.stringify({ method: "dpo", preset: "smoke", seed: 3, steps: 12 });
  await shelf.finish("first", [file("run.json", record), file("adapter/a", "abc")]);
  expect((await shelf.files("first")).map(({ path }) => path).sort()).toEqual(["adapter/a", "run.json"]);
  const [, finished] = await shelf.list();
  expect(finished).toMatchObject({ id: "first", method: "dpo", seed: 3, steps: 12, finished: true, bytes: record.length + 3 });
  await shelf.remove("first");
  await shelf.remove("second");
  expect([...folder.files.keys()]).toEqual([]);
});

test("a run whose beginning is damaged is listed, so that it can be deleted, and cannot go on", async () => {
  const folder = new MemoryFolder();
  const shelf = new RunShelf(folder);
  folder.files.set("broken/journal", new TextEncoder().encode("errata-jour"));
  expect(await shelf.list()).toMatchObject([{ id: "broken", method: "?", finished: false }]);
  await expect(shelf.open("broken")).rejects.toThrow("The beginning of this run is damaged, so that it cannot go on: delete it.");
  await expect(shelf.open("../etc")).rejects.toThrow("There is no run ../etc.");
});

test("a page that was killed at any write of the finishing leaves a run that goes on, or is finished and tidied up by the next list", async () => {
  const record = file("run.json", JSON.stringify({ method: "dpo", preset: "smoke", seed: 3, steps: 1 }));
  const ends: boolean[] = [];
  for (let after = 1; after <= 6; after++) {
    const folder = new MemoryFolder();
    const keeper = await new RunShelf(folder).begin(head("run", "2026-01-01"), problems, [file("weights", "0.5")], now);
    await keeper.note(entry);
    folder.killAt = folder.operations + after;
    folder.tornAt = 0;
    await new RunShelf(folder).finish("run", [record, file("adapter/a", "abc")]).catch((error) => expect(error).toBeInstanceOf(Killed));
    const survivor = folder.survivor();
    const [run] = await new RunShelf(survivor).list();
    ends.push(run?.finished ?? false);
    const paths = [...survivor.files.keys()].filter((path) => !path.endsWith(".part")).sort();
    if (run?.finished) expect(paths, `killed at write ${after}`).toEqual(["run/files/adapter/a", "run/files/run.json"]);
    else expect((await new RunShelf(survivor).open("run")).stored.state.steps, `killed at write ${after}`).toHaveLength(1);
  }
  expect(ends).toEqual([false, false, true, true, true, true]);
});

test("a run that was killed before it had begun is swept away, and no other", async () => {
  const folder = new MemoryFolder();
  const shelf = new RunShelf(folder);
  await shelf.begin(head("begun", "2026-01-01"), problems, null, now);
  await shelf.finish("finished", [file("run.json", "{}")]);
  folder.files.set("torn/problems.json", file("", "[").bytes);
  folder.files.set("torn/start/weights", file("", "0.5").bytes);
  await shelf.sweep();
  expect([...folder.files.keys()].sort()).toEqual(["begun/journal", "begun/problems.json", "finished/files/run.json"]);
});

test("a run goes on with the very problems and the very adapter that it was begun with, or not at all", async () => {
  const change: Record<string, (files: MemoryFolder["files"]) => unknown> = {
    "problems of this run were": (files) => files.set("run/problems.json", file("", '[{"taskId":"U"}]').bytes),
    "first adapter of this run was": (files) => files.set("run/start/weights", file("", "0.6").bytes),
  };
  const gone = (files: MemoryFolder["files"]) => files.delete("run/start/weights");
  for (const [what, damage] of [...Object.entries(change), ["first adapter of this run was", gone] as const]) {
    const folder = new MemoryFolder();
    const shelf = new RunShelf(folder);
    await shelf.begin(head("run", "2026-01-01"), problems, [file("weights", "0.5")], now);
    expect((await shelf.open("run")).start).toHaveLength(1);
    damage(folder.files);
    await expect(shelf.open("run")).rejects.toThrow(
      `The ${what} changed or damaged since it was begun, so that it cannot go on: delete it.`,
    );
  }
});

test("a run of the time before its first adapter was recorded goes on as it did", async () => {
  const folder = new MemoryFolder();
  await folder.write("run/problems.json", file("", JSON.stringify(problems)).bytes);
  await folder.write("run/start/weights", file("", "0.5").bytes);
  await RunKeeper.begin(subfolder(folder, "run"), head("run", "2026-01-01"), now);
  expect((await new RunShelf(folder).open("run")).start).toHaveLength(1);
});

test("another device, or other kernels, than a run was begun with are told", () => {
  const begun = { ...head("run", ""), device: "llvmpipe", code: "1" };
  expect(drifts(begun, { device: "llvmpipe", code: "1" })).toEqual([]);
  expect(drifts(begun, { device: "nvidia", code: "1" })).toEqual([expect.stringContaining("another GPU or driver (llvmpipe)")]);
  expect(drifts(begun, { device: "llvmpipe", code: "2" })).toEqual([expect.stringContaining("another version of Errata")]);
  expect(drifts(head("of an older version", ""), { device: "none", code: "2" })).toHaveLength(1);
});

test("a folder within a folder sees its own files only", async () => {
  const folder = new MemoryFolder();
  const inner = subfolder(folder, "a");
  await inner.write("x/y", new Uint8Array(2));
  await folder.write("ab", new Uint8Array(3));
  expect(await inner.list()).toEqual([{ path: "x/y", bytes: 2 }]);
  expect([...folder.files.keys()]).toEqual(["a/x/y", "ab"]);
});

test("a quota that is full ends the keeping with one sentence, and nothing else", async () => {
  const told: string[] = [];
  let asked = 0;
  const full = async () => {
    asked += 1;
    throw new DOMException("no room", "QuotaExceededError");
  };
  const keeper = carefulKeeper({ note: full, checkpoint: full }, (message) => void told.push(message));
  await keeper.note(entry);
  await keeper.note(entry);
  await keeper.checkpoint(true, () => Promise.reject(new Error("not to be asked")));
  expect(asked).toBe(1);
  expect(told).toEqual([expect.stringMatching(/^The browser's storage is full: .* The run goes on, .* save its files when it ends\.$/)]);
});

test("a student that fails while a checkpoint is made is no failure of the storage", async () => {
  const told: string[] = [];
  const keeper = carefulKeeper(
    { note: async () => {}, checkpoint: async (_must: boolean, make: () => Promise<RunCheckpoint>) => void (await make()) },
    (message) => void told.push(message),
  );
  await expect(keeper.checkpoint(true, () => Promise.reject(new Error("the GPU is gone")))).rejects.toThrow("the GPU is gone");
  expect(told).toEqual([]);
});

test.each([
  ["SecurityError", "This window keeps nothing"],
  ["NotFoundError", "storage was cleared"],
  ["UnknownError", "storage failed (what the browser says)"],
])("%s is told in words", (name, words) => {
  expect(reasonOf(new DOMException("what the browser says", name))).toContain(words);
});
