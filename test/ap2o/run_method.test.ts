// What a run adds to the plain loop: IterPref's pairs, early stop, divergence, an exam that was sat before, and what every pair records.
import { expect, test } from "vitest";
import { Run, type RunInputs } from "../../src/ap2o/run.ts";
import { InputError } from "../../src/input_error.ts";
import type { Answer, Preference, RunEvent } from "../../src/records.ts";
import { OBJECTIVES } from "../../src/train/objectives.ts";
import { FakeJudge, FakeStudent, fakeClock, fakeConfig, fakeProblems } from "./fakes.ts";

type Overrides = Record<string, number | string | boolean>;

async function runAll(overrides: Overrides = {}, method = "ap2o-h2l", student = new FakeStudent(), exam?: RunInputs["exam"]) {
  const run = new Run({
    preset: "smoke",
    config: fakeConfig(overrides, method),
    problems: fakeProblems(8),
    student,
    judge: new FakeJudge(),
    now: fakeClock(),
    ...(exam && { exam }),
  });
  const events: RunEvent[] = [];
  for await (const event of run.events()) events.push(event);
  return { run, events, student };
}

const pairsOf = (events: RunEvent[]): Preference[] => events.flatMap((event) => (event.type === "step" ? event.pairs : []));
const answersOf = (events: RunEvent[]): Answer[] => events.flatMap((event) => (event.type === "answer" ? [event.answer] : []));
const recordOf = (events: RunEvent[]): Record<string, unknown> =>
  events.flatMap((event) => (event.type === "finished" ? [event.run] : []))[0]!;
const warningsOf = (events: RunEvent[]) => events.flatMap((event) => (event.type === "warning" ? [event.message] : []));

/** Losses by a script; its other metrics are the plain fake's. */
class Scripted extends FakeStudent {
  readonly loss: (step: number) => number;

  constructor(loss: (step: number) => number) {
    super();
    this.loss = loss;
  }

  override async learn(batch: Parameters<FakeStudent["learn"]>[0]) {
    return { ...(await super.learn(batch)), loss: this.loss(this.lessons.length) };
  }
}

test("IterPref: pairs of one chain, or a failed answer and the nearest passed one, with the mask of the rejected one", async () => {
  const { events, student } = await runAll({ codeflow_n: 3, codeflow_rounds: 2 }, "iterpref");
  const answers = new Map(answersOf(events).map((answer) => [`${answer.task_id} ${answer.sample_index}`, answer]));
  const pairs = pairsOf(events);
  expect(pairs).toHaveLength(12 * 8);
  expect(new Set(pairs.map(({ origin }) => origin))).toEqual(new Set(["codeflow", "fallback"]));
  for (const pair of pairs) {
    const chosen = answers.get(`${pair.task_id} ${pair.chosen_index}`)!;
    const rejected = answers.get(`${pair.task_id} ${pair.rejected_index}`)!;
    expect([chosen.verdict, chosen.completion]).toEqual(["pass", pair.chosen]);
    expect([rejected.error_type, rejected.completion]).toEqual([pair.error_type, pair.rejected]);
    expect(chosen.phase).toBe(pair.origin === "codeflow" ? "repair" : "exam");
    expect(pair.rejected_mask).toEqual(new FakeStudent().compare({ ...pair, rejected: pair.rejected! }).rejected);
    expect(pair.chosen_mask).toBeUndefined();
  }
  expect(student.lessons.flat().every(({ rejected_mask }) => rejected_mask !== undefined)).toBe(true);
  const { codeflow } = recordOf(events) as { codeflow: { failures: number; pairs: Record<string, number>; passedByRound: number[] } };
  const repaired = answersOf(events).filter(({ phase, verdict }) => phase === "repair" && verdict === "pass").length;
  expect(codeflow.passedByRound.at(-1)).toBe(repaired);
  expect(codeflow.failures).toBe(8 * 3);
  expect(codeflow.pairs.codeflow! + codeflow.pairs.fallback!).toBeLessThanOrEqual(8 * 3);
});

test("IterPref without fall-back: chains that never pass are discarded; symmetric masking masks both sides", async () => {
  const { events } = await runAll({ codeflow_n: 3, codeflow_fallback: false, focal_sides: "both" }, "iterpref");
  const pairs = pairsOf(events);
  expect(pairs.every(({ origin, chosen_mask, chosen }) => origin === "codeflow" && chosen_mask?.length === chosen.length)).toBe(true);
});

test("the focal loss on another method's pairs has masks, too; the plain loss has none", async () => {
  expect(pairsOf((await runAll({ loss_type: "focal" }, "dyn-dpo")).events).every(({ rejected_mask }) => rejected_mask)).toBe(true);
  expect(pairsOf((await runAll({}, "dyn-dpo")).events).some(({ rejected_mask }) => rejected_mask)).toBe(false);
});

test("every pair records its seed, its number and its window's width", async () => {
  const { events } = await runAll({}, "ap2o-h2l");
  const pairs = pairsOf(events);
  expect(pairs.map(({ pair }) => pair)).toEqual(pairs.map((_, i) => i));
  expect(pairs.every(({ seed, width }) => seed === 7 && width! > 0)).toBe(true);
});

test("early stop: after so many quizzes without a better one, with a warning; the best checkpoint is evaluated", async () => {
  const student = new FakeStudent({ gain: (step) => (step <= 4 ? 0.05 : -0.05) });
  const { events } = await runAll({ steps: 40, quiz_steps: 4, quiz_n: 20, early_stop_quizzes: 2 }, "dyn-dpo", student);
  expect(recordOf(events)).toMatchObject({ steps: 12, bestStep: 4, finished: true });
  expect(warningsOf(events)).toContain("Stopped after step 12: 2 quizzes brought no better result.");
});

test("a learning rate that diverges ends correction with a sentence; the best checkpoint is kept and evaluated", async () => {
  const { run, events } = await runAll({ learning_rate: 1 }, "dyn-dpo", new Scripted((step) => (step <= 7 ? 0.69 : 20)));
  expect(run.diverged).toBe(
    "Step 10: the loss rose from 0.69 to 20.00: the learning rate of 1 diverges; take a tenth of it. The best checkpoint (of step 6) is kept.",
  );
  expect(warningsOf(events)).toContain(run.diverged);
  expect(recordOf(events)).toMatchObject({ steps: 10, bestStep: 6, diverged: run.diverged });
});

test("diverged before any quiz: what is kept is the untrained adapter", async () => {
  const { run, events } = await runAll({ learning_rate: 1 }, "dyn-dpo", new Scripted((step) => (step === 1 ? 0.69 : 20)));
  expect(recordOf(events)).toMatchObject({ bestStep: 0 });
  expect((await run.kept()).best.tensors.get("skill")!.data[0]).toBe(0.5);
});

test("an exam that was sat before: its answers are told and trained on, none is asked again", async () => {
  const { events } = await runAll({ exam_n: 16 });
  const before = answersOf(events).filter(({ phase }) => phase === "exam");
  const answers = new Map<string, Answer[]>();
  for (const answer of before) answers.set(answer.task_id, [...(answers.get(answer.task_id) ?? []), answer]);
  class Absent extends FakeStudent {
    override async *write(...[questions, options]: Parameters<FakeStudent["write"]>) {
      if (options.temperature === 1 && !options.trained && questions.length === 8 * 12) throw new Error("the exam was sat again");
      yield* super.write(questions, options);
    }
  }
  const other = await runAll({ exam_n: 12, seed: 8 }, "dpo", new Absent(), { answers, seed: 7 });
  const told = answersOf(other.events).filter(({ phase }) => phase === "exam");
  expect(told).toEqual(before.filter(({ sample_index }) => sample_index < 12));
  expect(recordOf(other.events)).toMatchObject({ exam: { seed: 7 } });
  const whole = new Map([...answers].map(([task, all]) => [task, all.map((answer) => ({ ...answer, split: "evaluation" }))]));
  const dealt = await runAll({ exam_n: 12, seed: 8 }, "dpo", new Absent(), { answers: whole, seed: 7 }); // sat on a file of one split
  expect(answersOf(dealt.events).filter(({ phase }) => phase === "exam")).toEqual(told);
  const tooShort = runAll({ exam_n: 17 }, "dpo", new FakeStudent(), { answers, seed: 7 });
  await expect(tooShort).rejects.toThrow(InputError);
  await expect(tooShort).rejects.toThrow("The exam has 16 answers to Fake/train/0, and the run wants 17");
});

test("steps that end a run before its windows have gone through all failed answers: the run says so", async () => {
  const whole = { pairs_per_epoch: "window", epochs: 3, exam_n: 20 };
  const { events } = await runAll({ ...whole, steps: 2 });
  expect(recordOf(events)).toMatchObject({ steps: 2, epochs: 3 });
  expect(warningsOf(events).join()).toMatch(/steps 2 ends the run before the windows have gone .*, which takes \d+ steps: set steps=0\./);
  expect(warningsOf((await runAll({ ...whole, steps: 0 })).events).join()).not.toContain("set steps=0");
});

test("settings that do not go together are refused", () => {
  expect(() => fakeConfig({ shuffle_verdicts: true }, "iterpref")).toThrow("shuffle_verdicts: not with iterpref");
  expect(() => fakeConfig({ focal_sides: "both", rpo_alpha: 1 }, "iterpref")).toThrow("rpo_alpha: not with focal_sides both");
  expect(() => fakeConfig({ loss_type: "sft" }, "dpo")).toThrow("loss_type: sft does not go with the method dpo");
  expect(fakeConfig({}, "iterpref").loss_type).toBe("focal");
});

test("every objective with rejected answers can take the place of the ordinary one", () => {
  for (const [name, { rejected }] of Object.entries(OBJECTIVES)) {
    if (rejected) expect(fakeConfig({ loss_type: name }, "ap2o-h2l").loss_type).toBe(name);
  }
});
