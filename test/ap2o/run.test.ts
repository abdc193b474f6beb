import { expect, test } from "vitest";
import { Run } from "../../src/ap2o/run.ts";
import { appendsOf } from "../../src/ap2o/run_files.ts";
import { InputError } from "../../src/input_error.ts";
import type { Answer, Preference, RunEvent } from "../../src/records.ts";
import { FakeJudge, FakeStudent, fakeClock, fakeConfig, fakeProblems } from "./fakes.ts";

type Overrides = Record<string, number | string | boolean>;

async function runAll(overrides: Overrides = {}, method?: string, student = new FakeStudent()) {
  const run = new Run({
    preset: "smoke",
    config: fakeConfig(overrides, method),
    problems: fakeProblems(8),
    student,
    judge: new FakeJudge(),
    now: fakeClock(),
  });
  const events: RunEvent[] = [];
  for await (const event of run.events()) events.push(event);
  return { run, events, student };
}

const ofType = <T extends RunEvent["type"]>(events: RunEvent[], type: T) =>
  events.filter((event): event is Extract<RunEvent, { type: T }> => event.type === type);
const pairsOf = (events: RunEvent[]): Preference[] => ofType(events, "step").flatMap(({ pairs }) => pairs);
const answersOf = (events: RunEvent[]): Answer[] => ofType(events, "answer").map(({ answer }) => answer);
const filesOf = (events: RunEvent[]) => {
  const files: Record<string, string> = {};
  for (const { file, text } of events.flatMap(appendsOf)) files[file] = (files[file] ?? "") + text;
  return files;
};
const withoutTimes = (files: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(files).map(([file, text]) => [file, text.replace(/"seconds": \{[^}]*\}|"tokens_per_second":[^,}]*/g, "")]),
  );

test("the loop's order: exam, notebook, before, quizzes between the steps, after, after_last, finished", async () => {
  const { events } = await runAll();
  const story = events.flatMap((event) => {
    if (event.type === "quiz") return [`quiz ${event.quiz.step}`];
    if (event.type === "evaluation") return [event.phase];
    if (event.type === "step") return event.metrics.step === 1 || event.metrics.step === 12 ? [`step ${event.metrics.step}`] : [];
    return event.type === "notebook" || event.type === "finished" ? [event.type] : [];
  });
  expect(story).toEqual(["notebook", "before", "quiz 0", "step 1", "quiz 6", "step 12", "quiz 12", "after", "after_last", "finished"]);
});

test("the exam and its analysis are told as stages of their own, up to their ends", async () => {
  const stages = ofType((await runAll()).events, "stage");
  for (const stage of ["exam", "analysis", "correction", "quiz", "evaluation"]) {
    const told = stages.filter((event) => event.stage === stage);
    expect(told.at(-1)!.done, stage).toBe(told.at(-1)!.total);
  }
});

test("every file of a run is the same twice, and whatever the order in which answers finish", async () => {
  const once = withoutTimes(filesOf((await runAll()).events));
  const again = withoutTimes(filesOf((await runAll({}, "ap2o-h2l", new FakeStudent({ batch: 64 }))).events));
  expect(Object.keys(once).sort()).toEqual([
    ...["metrics.jsonl", "notebook.json", "preferences.jsonl", "quizzes.jsonl", "results.jsonl", "run.json", "samples.jsonl"],
  ]);
  expect(again).toEqual(once);
});

test.each(["ap2o-h2l", "ap2o-l2h", "dyn-dpo", "dpo", "curri-dpo"])(
  "%s: every pair is one passed and one failed answer of its problem",
  async (method) => {
    const { events } = await runAll({}, method);
    const answers = new Map(
      answersOf(events)
        .filter(({ phase }) => phase === "exam")
        .map((answer) => [`${answer.task_id} ${answer.sample_index}`, answer]),
    );
    const notebook = ofType(events, "notebook")[0]!.notebook;
    const pairs = pairsOf(events);
    expect(pairs.length).toBe(12 * 8);
    for (const pair of pairs) {
      const chosen = answers.get(`${pair.task_id} ${pair.chosen_index}`)!;
      const rejected = answers.get(`${pair.task_id} ${pair.rejected_index}`)!;
      expect([chosen.verdict, chosen.completion]).toEqual(["pass", pair.chosen]);
      expect(chosen.ended).not.toBe("length");
      expect([rejected.error_type, rejected.completion]).toEqual([pair.error_type, pair.rejected]);
      const [from, to] = pair.window;
      const { failed } = notebook.problems.find(({ task_id }) => task_id === pair.task_id)!;
      expect(from >= 0 && from < to && to <= failed.length).toBe(true);
      expect(pair.probability > 0 && pair.probability <= 1).toBe(true);
    }
  },
);

test("AP2O: rejected answers lie in their window unless replayed; replay begins with the first quiz", async () => {
  const { events } = await runAll({ steps: 40, quiz_steps: 10, exam_n: 40 }, "ap2o-l2h");
  const { problems } = ofType(events, "notebook")[0]!.notebook;
  const pairs = pairsOf(events);
  for (const pair of pairs.filter(({ source }) => source === "window")) {
    const { failed } = problems.find(({ task_id }) => task_id === pair.task_id)!; // low to high is the method's own order
    expect(failed.slice(...pair.window).map(({ sample_index }) => sample_index)).toContain(pair.rejected_index);
  }
  expect(pairs.filter(({ step, source }) => step <= 10 && source === "replay")).toEqual([]);
  const later = pairs.filter(({ step }) => step > 10);
  const share = later.filter(({ source }) => source === "replay").length / later.length;
  expect(share).toBeGreaterThan(0.35); // half, but for problems that have none of the quiz's types
  expect(share).toBeLessThan(0.65);
});

test("H2L begins with the most frequent errors, L2H with the rarest", async () => {
  const early = async (method: string) => {
    const { events } = await runAll({ steps: 40, exam_n: 40, quiz_steps: 100 }, method);
    const pairs = pairsOf(events).slice(0, 40);
    return pairs.filter(({ error_type }) => error_type === "AssertionError").length / pairs.length;
  };
  expect((await early("ap2o-h2l-noreplay")) - (await early("ap2o-l2h-noreplay"))).toBeGreaterThan(0.4);
});

test("without replay no pair is replayed; SFT has no rejected answer", async () => {
  const noReplay = pairsOf((await runAll({ quiz_steps: 1 }, "ap2o-h2l-noreplay")).events);
  expect(noReplay.every(({ source }) => source === "window")).toBe(true);
  const { events, student } = await runAll({}, "sft");
  expect(pairsOf(events).every((pair) => !("rejected" in pair))).toBe(true);
  expect(student.lessons.flat().every((lesson) => !("rejected" in lesson))).toBe(true);
});

test("the best quiz's checkpoint is evaluated and kept, the last one beside it", async () => {
  const student = new FakeStudent({ gain: (step) => (step <= 6 ? 0.05 : -0.15) });
  const { run, events } = await runAll({ evaluation_n: 40, quiz_n: 20 }, "ap2o-h2l", student);
  const record = ofType(events, "finished")[0]!.run;
  expect(record.bestStep).toBe(6);
  const [before, after, afterLast] = ofType(events, "evaluation").map(({ result }) => result["pass@1"]);
  expect(after!).toBeGreaterThan(before! + 0.1);
  expect(afterLast!).toBeLessThan(before! - 0.1);
  const { best, last } = await run.kept();
  expect(best.tensors.get("skill")!.data[0]).toBeCloseTo(0.8, 5);
  expect(last.tensors.get("skill")!.data[0]).toBeCloseTo(-0.1, 5);
});

test("equal quizzes: the earlier checkpoint is the best", async () => {
  const { events } = await runAll({ quiz_steps: 4 }, "dyn-dpo", new FakeStudent({ gain: () => 0 }));
  expect(ofType(events, "finished")[0]!.run.bestStep).toBe(4);
  expect(ofType(events, "quiz").map(({ best }) => best)).toEqual([false, true, false, false]);
});

test("without any gain after equals before: both draw the same numbers", async () => {
  const { events } = await runAll({}, "dyn-dpo", new FakeStudent({ gain: () => 0 }));
  const [before, after] = ofType(events, "evaluation").map(({ result }) => result);
  expect(after).toEqual(before);
});

test("answers that could not be judged are warned of, counted nowhere and never trained on", async () => {
  const { events } = await runAll();
  const infra = answersOf(events).filter(({ verdict }) => verdict === "infra_error");
  expect(infra.length).toBeGreaterThan(0);
  expect(ofType(events, "warning").length).toBeGreaterThan(0);
  const unusable = new Set(infra.map(({ completion }) => completion));
  expect(pairsOf(events).some(({ chosen, rejected }) => unusable.has(chosen) || unusable.has(rejected!))).toBe(false);
});

test("a stopped run keeps what was trained", async () => {
  const student = new FakeStudent();
  const run = new Run({
    preset: "smoke",
    config: fakeConfig(),
    problems: fakeProblems(8),
    student,
    judge: new FakeJudge(),
    now: fakeClock(),
  });
  for await (const event of run.events()) if (event.type === "step" && event.metrics.step === 3) break;
  const { run: record, best, last } = await run.kept();
  expect(record).toMatchObject({ steps: 3, pairs: 24, bestStep: 3 });
  expect(best).toEqual(last);
  expect(student.lessons.length).toBe(3);
});

test("shuffled verdicts: passed and failed no longer say anything about the chosen answers", async () => {
  const { events } = await runAll({ shuffle_verdicts: true, steps: 40 });
  const pairs = pairsOf(events);
  const really = pairs.filter(({ chosen }) => chosen.includes("pass")).length / pairs.length;
  expect(really).toBeGreaterThan(0.2);
  expect(really).toBeLessThan(0.8);
});

test("an exam that everybody passes leaves nothing to train on: one sentence", async () => {
  class Perfect extends FakeStudent {
    override async *write(questions: Parameters<FakeStudent["write"]>[0]) {
      for (const [index] of questions.entries())
        yield { index, text: "    pass # 1", ended: "end_token" as const, flops: 1, promptFlops: 0 };
    }
  }
  const running = runAll({}, "ap2o-h2l", new Perfect());
  await expect(running).rejects.toThrow(InputError);
  await expect(running).rejects.toThrow("The exam left no problem to train on: 128 of 128 answers passed");
});

test("an exam that nobody passes: one sentence, and the notebook has every failed answer all the same", async () => {
  class Hopeless extends FakeStudent {
    override async *write(questions: Parameters<FakeStudent["write"]>[0]) {
      for (const [index] of questions.entries()) {
        const text = `    ${index % 4 === 0 ? "NameError" : "TypeError"} # ${index}`;
        yield { index, text, ended: "end_token" as const, flops: 1, promptFlops: 0 };
      }
    }
  }
  const run = new Run({
    ...{
      preset: "smoke",
      config: fakeConfig(),
      problems: fakeProblems(8),
      student: new Hopeless(),
      judge: new FakeJudge(),
      now: fakeClock(),
    },
  });
  const events: RunEvent[] = [];
  const pull = async () => {
    for await (const event of run.events()) events.push(event);
  };
  await expect(pull()).rejects.toThrow(
    "The exam left no problem to train on: 0 of 128 answers passed, and a problem needs passed and failed ones",
  );
  const { problems, dropped } = JSON.parse(filesOf(events)["notebook.json"]!);
  expect([problems, dropped.length]).toEqual([[], 8]);
  const { task_id, reason, counts, failed } = dropped[1];
  expect([task_id, reason]).toEqual(["Fake/train/1", "0 distinct passed answers, 1 needed"]);
  expect(counts).toEqual({ NameError: 4, TypeError: 12 });
  expect(failed.map(({ error_type }: { error_type: string }) => error_type)).toEqual([
    ...Array(4).fill("NameError"),
    ...Array(12).fill("TypeError"),
  ]);
  expect(failed[0]).toEqual({ sample_index: 0, error_type: "NameError" });
});

test.each([1, "window"])(
  "a quiz that finds no errors sends nothing back: what follows comes from the windows (pairs_per_epoch %s)",
  async (pairs_per_epoch) => {
    const student = new FakeStudent({ gain: () => 1 }); // all right from the first step on
    const { events } = await runAll({ quiz_steps: 1, steps: 6, epochs: 2, pairs_per_epoch }, "ap2o-h2l", student);
    const quizzes = ofType(events, "quiz").map(({ quiz }) => quiz);
    expect(quizzes.slice(1).map(({ errors, replay, ...quiz }) => [quiz["pass@1"], errors, replay])).toEqual(Array(6).fill([1, {}, {}]));
    expect(Object.keys(quizzes[0]!.errors).length).toBeGreaterThan(0); // before training; it counts for nothing
    for (const { source, probability, window } of pairsOf(events)) {
      expect([source, probability]).toEqual(["window", pairs_per_epoch === 1 ? 1 / (window[1] - window[0]) : 1]);
    }
  },
);

test("a split without problems is refused", () => {
  const problems = fakeProblems(3).filter(({ split }) => split !== "validation");
  const inputs = { preset: "smoke", config: fakeConfig(), problems, student: new FakeStudent(), judge: new FakeJudge(), now: fakeClock() };
  expect(() => new Run(inputs)).toThrow("There is no validation problem");
});
