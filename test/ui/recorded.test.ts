// The recorded runs: that they are what recordings.json says, that the code of today draws the same notebook and the same pairs from them, and
// that they are told and played as a live run is.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { zipSync } from "fflate";
import { beforeAll, describe, expect, test } from "vitest";
import { checkConfig } from "../../src/ap2o/config.ts";
import { evaluationResult } from "../../src/ap2o/evaluate.ts";
import { curriculumOf } from "../../src/ap2o/methods.ts";
import { makeNotebook } from "../../src/ap2o/notebook.ts";
import { configOf } from "../../src/ap2o/presets.ts";
import type { Answer, RunEvent } from "../../src/records.ts";
import { errorTable, resultRows, settingDifferences } from "../../src/ui/compare/comparison.ts";
import { Shelf } from "../../src/ui/compare/shelf.ts";
import { Player } from "../../src/ui/recorded/player.ts";
import { RECORDINGS } from "../../src/ui/recorded/recordings.ts";
import { type RunArchive, readArchive } from "../../src/ui/recorded/run_archive.ts";
import { timelineOf } from "../../src/ui/recorded/timeline.ts";
import { unzip } from "../../src/ui/recorded/unzip.ts";
import { applyEvent, emptyRun } from "../../src/ui/run_state.ts";

const folder = join(import.meta.dirname, "../../public/recorded");
const read = (file: string) => new Uint8Array(readFileSync(join(folder, file)));
const told: { file: string; command: string; seed: number; commit: string; bytes: number; sha256: string }[] = JSON.parse(
  new TextDecoder().decode(read("recordings.json")),
);
const open = async (file: string) => readArchive(file, await unzip(file, read(file)));

let archives: Map<string, RunArchive>;
beforeAll(async () => {
  archives = new Map(await Promise.all(told.map(async ({ file }): Promise<[string, RunArchive]> => [file, await open(file)])));
});
const archive = (file = "ap2o-h2l.zip") => archives.get(file)!;

describe("the recorded runs", () => {
  test("are those that the page offers, together below 2 MB", () => {
    expect(told.map(({ file }) => `recorded/${file}`).sort()).toEqual(RECORDINGS.map(({ path }) => path).sort());
    expect(told.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(2e6);
  });

  test.each(told.map((entry) => [entry.file, entry] as const))("%s is the file of its command, seed and commit", (file, entry) => {
    const bytes = read(file);
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(entry.sha256);
    expect(entry.commit).toMatch(/^[0-9a-f]{40}$/);
    const { method, preset, seed } = archive(file).record;
    expect(entry.command).toBe(`npm run -s errata -- run --method ${method} --preset ${preset} --seed ${seed} --out runs/${method}`);
  });

  test.each(told.map(({ file }) => [file]))("%s has the notebook, pairs and results that today's code makes of its answers", (file) => {
    const { answers, notebook, pairs, quizzes, record } = archive(file);
    const sat = (phase: string): Answer[][] => {
      const byTask = new Map<string, Answer[]>();
      for (const answer of answers.filter((entry) => entry.phase === phase)) {
        byTask.set(answer.task_id, [...(byTask.get(answer.task_id) ?? []), answer]);
      }
      return [...byTask.values()].map((some) => some.sort((a, b) => a.sample_index - b.sample_index));
    };
    const config = checkConfig(configOf("demo", record.method, record.seed, {}));
    expect(makeNotebook(sat("exam"), config.rule, config.scope)).toEqual(notebook);
    expect(evaluationResult(sat("after"))).toMatchObject(record.after ?? { missing: "after" });
    if (config.method === "iterpref") throw new Error("No recorded run is of IterPref.");
    const curriculum = curriculumOf(config.method, notebook, { ...config, totalPairs: config.steps * config.batch_size });
    const drawn = pairs.map((pair, index) => {
      const batchStart = (pair.step - 1) * config.batch_size;
      const quiz = quizzes.findLast(({ step }) => step > 0 && step < pair.step);
      const draw = curriculum.pairAt(index, { batchStart, quizErrors: quiz?.errors ?? null });
      return [notebook.problems[draw.problem]?.task_id, draw.chosen, draw.rejected, draw.source];
    });
    expect(drawn).toEqual(pairs.map((pair) => [pair.task_id, pair.chosen_index, pair.rejected_index, pair.source]));
  });

  test("hold what the lesson says of them", () => {
    const errors = (file: string, type: string) => archive(file).quizzes.map((quiz) => quiz.errors[type] ?? 0);
    const names = errors("ap2o-h2l-noreplay.zip", "NameError");
    expect([names[0], names[6], names.at(-1)]).toEqual([15, 7, 10]);
    const { before, after, after_last, bestStep } = archive("ap2o-h2l-noreplay.zip").record;
    const wrong = [before, after, after_last].map((result) => result?.errors.AssertionError);
    expect([bestStep, ...wrong]).toEqual([60, 57, 15, 39]);
    expect(archive().record.after_last?.errors.AssertionError).toBe(15);
  });
});

describe("a timeline", () => {
  test("tells the run to its end: every answer, step and quiz, and the results of run.json", () => {
    const run = emptyRun();
    for (const { event, ranMs } of timelineOf(archive())) applyEvent(run, event, ranMs);
    const { record, answers, steps, quizzes } = archive();
    const count = Object.values(run.answers).reduce((sum, byTask) => sum + [...byTask.values()].flat().length, 0);
    expect(count).toBe(answers.length);
    expect(run.steps).toHaveLength(steps.length);
    expect(run.quizzes).toEqual(quizzes);
    expect(run.bestStep).toBe(record.bestStep);
    expect(run.evaluations.after?.["pass@1"]).toBe(record.after?.["pass@1"]);
    expect(run.station).toBeNull();
  });

  test("goes forward on both clocks, and takes as long as the run's stages took", () => {
    const events = timelineOf(archive());
    for (let i = 1; i < events.length; i++) {
      expect(events[i].atMs).toBeGreaterThanOrEqual(events[i - 1].atMs);
      expect(events[i].ranMs).toBeGreaterThanOrEqual(events[i - 1].ranMs);
    }
    const { exam, analysis, correction, quiz, evaluation } = archive().record.seconds;
    const seconds = [exam, analysis, correction, quiz, evaluation].reduce<number>((sum, part) => sum + (part ?? 0), 0);
    // after_last was the same as after here and took no time of its own
    expect(events.at(-1)!.ranMs / 1000).toBeGreaterThan(0.9 * (seconds - (evaluation ?? 0)));
    expect(events.at(-1)!.ranMs / 1000).toBeLessThanOrEqual(seconds + 1);
  });
});

describe("the player", () => {
  const playing = () => {
    const shown: RunEvent[] = [];
    let cleared = 0;
    const player = new Player(archive(), {
      clear: () => {
        shown.length = 0;
        cleared += 1;
      },
      show: (event) => void shown.push(event),
      settle: () => {},
    });
    return { player, shown, cleared: () => cleared };
  };

  test("shows what is due, faster at a higher speed, and holds at the end", () => {
    const { player, shown } = playing();
    player.play();
    player.advance(1000);
    const first = shown.length;
    expect(first).toBeGreaterThan(0);
    player.speed.value = 8;
    player.advance(1000);
    expect(player.positionMs.value).toBe(9000);
    expect(shown.length).toBeGreaterThan(first);
    player.advance(1e6);
    expect(player.playing.value).toBe(false);
    expect(shown.at(-1)?.type).toBe("finished");
  });

  test("seeks backwards by telling the run anew", () => {
    const { player, shown, cleared } = playing();
    player.seek(20_000);
    const at20 = [...shown];
    player.seek(30_000);
    player.seek(20_000);
    expect(cleared()).toBe(1);
    expect(shown).toEqual(at20);
  });

  test("steps to the next optimiser step, and plays again from the start", () => {
    const { player, shown } = playing();
    player.step();
    const steps = () => shown.filter((event) => event.type === "step").length;
    expect(steps()).toBe(1);
    player.step();
    expect(steps()).toBe(2);
    player.toTheEnd();
    player.play();
    expect(player.positionMs.value).toBe(0);
    expect(player.playing.value).toBe(true);
  });
});

describe("a file that is no run", () => {
  const text = (content: string) => new TextEncoder().encode(content);
  const files = async () => new Map(await unzip("x.zip", read("ap2o-h2l.zip")));

  test("is refused in a sentence that names it: no zip, another zip, another version, a broken line", async () => {
    await expect(unzip("x.zip", text("no zip at all"))).rejects.toThrow("x.zip: expected a zip of a run");
    const other = await unzip("y.zip", zipSync({ "readme.txt": text("hello") }));
    await expect(readArchive("y.zip", other)).rejects.toThrow("y.zip: expected the files of a run, found no run.json.");
    const older = (await files()).set("run.json", text('{"method": "ap2o-h2l"}'));
    await expect(readArchive("z.zip", older)).rejects.toThrow(/z\.zip: run\.json: .*another version of Errata/);
    const broken = (await files()).set("metrics.jsonl", text('{"step": 1\n'));
    await expect(readArchive("b.zip", broken)).rejects.toThrow("b.zip: metrics.jsonl, line 1: expected JSON");
  });

  test("a zip with a folder around the run is opened all the same", async () => {
    const inner = [...(await files())].map(([path, bytes]): [string, Uint8Array] => [`runs/first/${path}`, bytes]);
    const archive = await readArchive("f.zip", await unzip("f.zip", zipSync(Object.fromEntries(inner), { level: 1 })));
    expect(archive.steps).toHaveLength(100);
  });
});

describe("comparing", () => {
  test("tabulates results, differing settings and errors by type; the mean and spread of runs of one method", () => {
    const shelf = new Shelf(() => Promise.reject(new Error("nothing is fetched here")));
    for (const file of ["ap2o-h2l.zip", "ap2o-l2h.zip"]) shelf.put(file, archive(file));
    const runs = shelf.runs.value;
    expect(settingDifferences(runs)).toEqual([{ name: "method", values: ["ap2o-h2l", "ap2o-l2h"] }]);
    expect(resultRows(runs)).toHaveLength(2);
    expect(errorTable(runs)[0]).toEqual({ errorType: "AssertionError", before: 57, after: [15, 23] });
    shelf.add({ ...runs[0], id: "again", record: { ...runs[0].record, after: { ...runs[0].record.after!, "pass@1": 0.85 } } });
    const row = resultRows(shelf.runs.value).at(-1)!;
    expect(row.label).toBe("ap2o-h2l, 2 runs");
    expect(row.after).toBeCloseTo(0.86, 6);
    expect(row.spread).toBeCloseTo(0.02 / Math.SQRT2, 6);
  });

  test("holds eight runs of one's own beside the recorded ones: the oldest gives way", () => {
    const shelf = new Shelf(() => Promise.reject(new Error("nothing is fetched here")));
    shelf.put(RECORDINGS[0]!.id, archive("ap2o-h2l.zip"));
    const [recorded] = shelf.runs.value;
    expect(Object.keys(recorded?.run ?? {}).sort()).toEqual(["quizzes", "right", "steps"]); // and no answers
    for (let i = 1; i <= 10; i++) shelf.add({ ...recorded!, id: `run-${i}` });
    expect(shelf.runs.value.map(({ id }) => id)).toEqual([
      RECORDINGS[0]!.id,
      ..."345678".split("").map((i) => `run-${i}`),
      "run-9",
      "run-10",
    ]);
  });
});
