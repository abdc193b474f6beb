// Splits that share a problem are refused.
import { expect, test } from "vitest";
import { InputError } from "../../src/input_error.ts";
import type { Problem, Split } from "../../src/tasks/problem.ts";
import { withoutEmptySplits, withoutLeaks } from "../../src/tasks/split.ts";

const problem = (taskId: string, split: Split, prompt: string, tests: string[]): Problem => ({
  ...{ taskId, split, prompt, tests, entryPoint: "f" },
});
const train = [problem("A", "train", "# Add.\ndef f(x):\n", ["assert f(1) == 2"])];
const validation = [problem("B", "validation", "# Double.\ndef f(x):\n", ["assert f(2) == 4"])];

test("splits that share nothing stay as they are", () => {
  const split = { train, validation, evaluation: [problem("C", "evaluation", "# Halve.\ndef f(x):\n", ["assert f(4) == 2"])] };
  expect(withoutLeaks(split)).toEqual({ kept: split, warning: null });
});

test.each([
  ["the same text", problem("C", "evaluation", "# Add.\n  def f(x):", ["assert f(7) == 8"])],
  ["the same tests", problem("C", "evaluation", "# Sum.\ndef f(x):\n", ["assert  f(1) == 2"])],
])("%s in two splits is refused, both problems named", (_, leak) => {
  const split = { train, validation, evaluation: [leak] };
  expect(() => withoutLeaks(split)).toThrow(InputError);
  expect(() => withoutLeaks(split)).toThrow("A (train) and C (evaluation) have the same text or the same tests");
});

test("twins within one split are no leak", () => {
  const split = { train: [...train, { ...train[0]!, taskId: "A2" }], validation, evaluation: [] };
  expect(withoutLeaks(split).kept.train).toHaveLength(2);
});

test("MBPP's own split: the later twin is left out, with a warning", () => {
  const of = (id: number, split: Split) => ({
    ...problem(`Mbpp/${id}`, split, "", [`assert f(${id}) == 1`]),
    text: "Find the n-th number.",
  });
  const { kept, warning } = withoutLeaks({ train: [of(872, "train")], validation: [], evaluation: [of(216, "evaluation")] });
  expect([kept.train.length, kept.evaluation.length]).toEqual([1, 0]);
  expect(warning).toBe("Left out, as their texts are also trained on: Mbpp/216 (as Mbpp/872).");
});

test("a few problems without splits of their own: none of the three is empty", () => {
  const few = ["A", "B", "C", "D"].map((id) => problem(id, "train", `# ${id}`, [`assert ${id}`]));
  const all = new Set(few.map(({ taskId }) => taskId));
  expect(withoutEmptySplits(few, all).map(({ split }) => split)).toEqual(["train", "train", "evaluation", "validation"]);
  expect(withoutEmptySplits(few, new Set(["A"])).map(({ split }) => split)).toEqual(Array(4).fill("train")); // the file says so
  expect(withoutEmptySplits(few.slice(0, 2), all).map(({ split }) => split)).toEqual(["train", "train"]);
});
