import { describe, expect, test } from "vitest";
import type { Answer, EvaluationResult, RunEvent } from "../../src/records.ts";
import { applyEvent, emptyRun, errorComparisons, orderTypes, type RunState, restartClock } from "../../src/ui/run_state.ts";

const answer = (over: Partial<Answer> = {}): Answer => ({
  task_id: "Demo/1",
  phase: "exam",
  sample_index: 0,
  split: "train",
  solution: "def f():\n    return 1\n",
  completion: "    return 1\n",
  ended: "stop",
  verdict: "pass",
  error_type: "",
  error_label: "",
  line: null,
  message: "",
  expected: null,
  got: null,
  ...over,
});

const failed = (type: string, over: Partial<Answer> = {}) => answer({ verdict: "runtime_error", error_type: type, ...over });
const exam = (done: number, total = 10): RunEvent => ({ type: "stage", stage: "exam", phase: "exam", done, total, secondsLeft: null });
const evaluation = (pass: number, errors: Record<string, number>): EvaluationResult => ({ "pass@1": pass, n: 10, problems: 12, errors });
const step = (number: number): RunEvent => ({
  type: "step",
  steps: 20,
  metrics: {
    step: number,
    epoch: 0,
    loss: 0.5,
    grad_norm: 1,
    learning_rate: 1e-4,
    entropy: 1,
    num_tokens: 10 * number,
    mean_token_accuracy: 0.5,
    tokens_per_second: 1,
  },
  pairs: [],
});
const quiz = (number: number, pass: number, errors: Record<string, number>): RunEvent => ({
  type: "quiz",
  quiz: { step: number, "pass@1": pass, errors, replay: {} },
  best: number > 0,
});

function play(events: readonly (RunEvent | [RunEvent, number])[]): RunState {
  const run = emptyRun();
  for (const entry of events) {
    const [event, nowMs] = Array.isArray(entry) ? entry : [entry, 0];
    applyEvent(run, event, nowMs);
  }
  return run;
}

describe("stations", () => {
  test("rate and time left come from the clock where the engine gives none", () => {
    const { exam: progress } = play([
      [exam(0), 0],
      [exam(4), 2000],
    ]).progress;
    expect(progress?.rate).toBe(2);
    expect(progress?.secondsLeft).toBe(3);
  });

  test("the engine's own estimate is kept", () => {
    const event: RunEvent = { type: "stage", stage: "exam", phase: "exam", done: 4, total: 10, secondsLeft: 99 };
    expect(play([exam(0), [event, 1000]]).progress.exam?.secondsLeft).toBe(99);
  });

  test("a pause does not count into the rate", () => {
    const run = play([
      [exam(0), 0],
      [exam(4), 2000],
    ]);
    restartClock(run, 60_000);
    applyEvent(run, exam(8), 62_000);
    expect(run.progress.exam?.rate).toBe(2);
  });

  test("exam and analysis run side by side: the exam stays lit until all answers are written", () => {
    const analysis = (done: number): RunEvent => ({ type: "stage", stage: "analysis", phase: "exam", done, total: 10, secondsLeft: null });
    const run = play([
      [exam(0), 0],
      [analysis(2), 1000],
      [exam(4), 2000],
      [analysis(4), 3000],
    ]);
    expect(run.station).toBe("exam");
    expect(run.progress.exam).toMatchObject({ rate: 2, rounds: 1 });
    expect(run.progress.analysis).toMatchObject({ done: 4, rate: 1, rounds: 1 });
    applyEvent(run, exam(10), 4000);
    expect(run.station).toBe("analysis");
  });

  test("evaluations stand at the ends of the strip", () => {
    const stage = { type: "stage", stage: "evaluation", done: 1, total: 2, secondsLeft: null } as const;
    expect(play([{ ...stage, phase: "before" }]).station).toBe("before");
    expect(play([{ ...stage, phase: "after_last" }]).station).toBe("after");
  });

  test("a step lights the correction and counts it, also before any progress event", () => {
    const run = play([quiz(0, 0.5, {}), step(1)]);
    expect(run.station).toBe("correction");
    expect(run.progress.correction).toMatchObject({ done: 1, total: 20 });
  });

  test("after a quiz the training goes on, before its next step is told", () => {
    expect(play([quiz(0, 0.5, {})]).station).toBe("correction");
    const held: RunEvent = { type: "stage", stage: "quiz", phase: "quiz", done: 4, total: 4, secondsLeft: null };
    expect(play([step(20), held, quiz(20, 0.5, {})]).station).toBe("quiz");
  });

  test("quizzes are counted", () => {
    const held: RunEvent = { type: "stage", stage: "quiz", phase: "quiz", done: 4, total: 4, secondsLeft: null };
    expect(play([held, step(1), held, step(2), held]).progress.quiz?.rounds).toBe(3);
  });

  test("nothing is lit when the run has finished", () => {
    expect(play([exam(1), { type: "finished", run: { seed: 1 } }]).station).toBeNull();
  });
});

describe("answers", () => {
  test("failures are counted by type and phase; an answer that could not be judged is neither right nor wrong", () => {
    const events = [
      answer(),
      failed("NameError"),
      failed("NameError"),
      failed("KeyError", { phase: "before" }),
      answer({ verdict: "infra_error" }),
    ];
    const run = play(events.map((entry) => ({ type: "answer", answer: entry })));
    expect(run.errorCounts).toEqual({ exam: { NameError: 2 }, before: { KeyError: 1 } });
    expect(run.judged.exam).toEqual({ passed: 1, total: 4 });
  });
});

describe("error comparisons", () => {
  test("an exam alone has no now", () => {
    const run = play([
      { type: "answer", answer: answer() },
      { type: "answer", answer: failed("NameError") },
    ]);
    expect(errorComparisons(run)).toEqual([
      { source: "exam", before: { NameError: 1 }, now: null, passBefore: 0.5, passNow: null, step: null },
    ]);
  });

  test("quizzes compare the one before training with the latest", () => {
    const run = play([quiz(0, 0.4, { KeyError: 3 }), quiz(10, 0.5, { KeyError: 2 }), quiz(20, 0.6, { KeyError: 1 })]);
    expect(errorComparisons(run).at(-1)).toMatchObject({
      source: "quiz",
      before: { KeyError: 3 },
      now: { KeyError: 1 },
      passNow: 0.6,
      step: 20,
    });
  });

  test("the evaluation comes last once there is one after training, and first before that", () => {
    const events: RunEvent[] = [
      { type: "evaluation", phase: "before", result: evaluation(0.5, { KeyError: 9 }) },
      quiz(0, 0.4, { KeyError: 3 }),
    ];
    expect(errorComparisons(play(events)).map((entry) => entry.source)).toEqual(["evaluation", "quiz"]);
    events.push({ type: "evaluation", phase: "after", result: evaluation(0.7, {}) });
    expect(errorComparisons(play(events)).at(-1)).toMatchObject({ source: "evaluation", passBefore: 0.5, passNow: 0.7, now: {} });
  });

  test("types are ordered by how frequent they were before, then now", () => {
    expect(orderTypes({ A: 1, B: 5, C: 0 }, { D: 7, A: 2 })).toEqual(["B", "A", "D"]);
  });
});
