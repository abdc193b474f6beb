// Figures from judged answers: the curve of pass@k and its bootstrap intervals.
import { expect, test } from "vitest";
import { bootstrapInterval, evaluationResult, gainOf, quizResult } from "../../src/ap2o/evaluate.ts";
import { makeNotebook } from "../../src/ap2o/notebook.ts";
import { replayDraws } from "../../src/ap2o/replay.ts";
import type { Answer } from "../../src/records.ts";
import { passAtK } from "../../src/tasks/pass_at_k.ts";

const answers = (passed: number, n: number) =>
  Array.from({ length: n }, (_, i) => ({
    verdict: i < passed ? "pass" : "wrong_answer",
    error_type: i < passed ? "" : "AssertionError",
  }));

test("the curve goes from pass@1 to pass@n, and agrees with pass@5 and pass@10", () => {
  const result = evaluationResult([answers(3, 12), answers(0, 12), answers(12, 12)]);
  expect(result.curve).toHaveLength(12);
  expect(result.curve![0]).toBe(result["pass@1"]);
  expect(result.curve![9]).toBe(result["pass@10"]);
  expect(result.curve![4]).toBeCloseTo((passAtK(12, 3, 5) + 0 + 1) / 3, 12);
  expect(result.curve).toEqual([...result.curve!].sort((a, b) => a - b));
});

test("the interval is that of the mean over problems, not over answers: a few hard problems make it wide", () => {
  const problems = Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? 1 : 0));
  const [low, high] = bootstrapInterval(problems);
  const error = Math.sqrt(0.25 / 60); // of the mean of 60 coins
  expect(low).toBeGreaterThan(0.5 - 2.3 * error);
  expect(low).toBeLessThan(0.5 - 1.7 * error);
  expect(high).toBeGreaterThan(0.5 + 1.7 * error);
  expect(bootstrapInterval(problems)).toEqual([low, high]);
  expect(bootstrapInterval([0.4, 0.4, 0.4])).toEqual([expect.closeTo(0.4, 12), expect.closeTo(0.4, 12)]);
});

test("the gain is paired: problems that all gain the same have no spread, however different they are", () => {
  const before = [answers(1, 10), answers(5, 10), answers(8, 10)];
  const after = [answers(2, 10), answers(6, 10), answers(9, 10)];
  expect(gainOf(before, after)["pass@1"]).toBeCloseTo(0.1, 12);
  expect(gainOf(before, after).interval[0]).toBeCloseTo(0.1, 12);
  const infra = [{ verdict: "infra_error", error_type: "" }];
  expect(gainOf([...before, infra], [...after, answers(10, 10)])["pass@1"]).toBeCloseTo(0.1, 12);
});

test("exit() is a SystemExit, by the code's rule a TypeError: in the quiz as in the notebook, so that replay finds it", () => {
  const exits = (n: number): Answer[] =>
    Array.from({ length: n }, (_, i) => ({
      ...{ task_id: "A", phase: "exam", sample_index: i, split: "train", completion: "", ended: "stop", error_label: "" },
      ...{ solution: String(i), line: null, message: "", expected: null, got: null },
      ...(i < 2 ? { verdict: "pass", error_type: "" } : { verdict: "exit", error_type: "SystemExit" }),
    }));
  for (const [rule, type] of [
    ["paper", "SystemExit"],
    ["reference", "TypeError"],
  ] as const) {
    const { errors, replay } = quizResult(4, [exits(5)], rule, true);
    expect([errors, replay]).toEqual([{ [type]: 3 }, { [type]: 1 }]);
    const types = makeNotebook([exits(6)], rule, "problem").problems[0]!.failed.map(({ error_type }) => error_type);
    expect([...replayDraws(rule, types, 2, errors).keys()]).toEqual([type]);
  }
});
