import { describe, expect, test } from "vitest";
import type { Answer, Preference } from "../../src/records.ts";
import { listProblems, partnerOf, problemAnswers, titleOf } from "../../src/ui/notebook_view.ts";
import { applyEvent, emptyRun, type RunState } from "../../src/ui/run_state.ts";

const answer = (sample_index: number, error_type: string, completion: string, task_id = "Demo/1"): Answer => ({
  task_id,
  phase: "exam",
  sample_index,
  split: "train",
  solution: `# Add two numbers.\ndef add(a, b):\n${completion}`,
  completion,
  ended: "stop",
  verdict: error_type === "" ? "pass" : "runtime_error",
  error_type,
  error_label: error_type,
  line: null,
  message: "",
  expected: null,
  got: null,
});

function runOf(answers: readonly Answer[]): RunState {
  const run = emptyRun();
  for (const entry of answers) applyEvent(run, { type: "answer", answer: entry }, 0);
  return run;
}

const indices = (entries: readonly { answer: Answer }[]) => entries.map((entry) => entry.answer.sample_index);

describe("titles", () => {
  test("a comment, a docstring, the def line: the first there is", () => {
    expect(titleOf("# Add two numbers.\ndef add(a, b):")).toBe("Add two numbers.");
    expect(titleOf('def add(a, b):\n    """Add them."""')).toBe("Add them.");
    expect(titleOf("def add(a, b):\n    pass")).toBe("def add(a, b):");
  });
});

describe("problems", () => {
  test("those with most failures of the type come first, those with none are left out", () => {
    const run = runOf([
      answer(0, "KeyError", "1", "A"),
      answer(0, "KeyError", "1", "B"),
      answer(1, "KeyError", "2", "B"),
      answer(0, "NameError", "1", "C"),
      answer(1, "", "ok", "C"),
    ]);
    expect(listProblems(run, "exam", "KeyError").map(({ taskId }) => taskId)).toEqual(["B", "A"]);
    expect(listProblems(run, "exam", null).find(({ taskId }) => taskId === "C")).toMatchObject({ passed: 1, failed: 1, matching: 1 });
  });
});

describe("answers of a problem", () => {
  const run = runOf([
    answer(0, "KeyError", "k1"),
    answer(1, "NameError", "n1"),
    answer(2, "NameError", "n2"),
    answer(3, "NameError", "n1"),
    answer(4, "", "right"),
  ]);

  test("equal texts are shown once and counted", () => {
    const { failed } = problemAnswers(run, "exam", "Demo/1", "ap2o-l2h");
    expect(failed.map(({ copies }) => copies).sort()).toEqual([1, 1, 2]);
  });

  test("rare types come first, for H2L the frequent ones", () => {
    expect(indices(problemAnswers(run, "exam", "Demo/1", "ap2o-l2h").failed)).toEqual([0, 1, 2]);
    expect(indices(problemAnswers(run, "exam", "Demo/1", "ap2o-h2l").failed)).toEqual([1, 2, 0]);
  });

  test("the notebook's order is kept where there is one", () => {
    const listed = runOf([answer(0, "KeyError", "k1"), answer(1, "NameError", "n1"), answer(2, "", "right")]);
    const failed = [
      { sample_index: 1, error_type: "NameError" },
      { sample_index: 0, error_type: "KeyError" },
    ];
    const problem = { task_id: "Demo/1", counts: { KeyError: 1, NameError: 1 }, passed: [2], failed };
    applyEvent(
      listed,
      { type: "notebook", notebook: { rule: "paper", scope: "problem", counts: {}, problems: [problem], dropped: [] } },
      0,
    );
    expect(indices(problemAnswers(listed, "exam", "Demo/1", "ap2o-l2h").failed)).toEqual([1, 0]);
  });
});

describe("the right answer beside a failed one", () => {
  const failed = answer(0, "NameError", "    return a + c\n");
  const passed = [answer(5, "", "    total = a\n    total += b\n    return total\n"), answer(6, "", "    return a + b\n")].map((entry) => ({
    answer: entry,
    copies: 1,
  }));

  const pair: Preference = {
    step: 7,
    task_id: "Demo/1",
    prompt: "",
    chosen: passed[0]?.answer.completion ?? "",
    rejected: failed.completion,
    chosen_index: 5,
    rejected_index: 0,
    chosen_ended: "stop",
    error_type: "NameError",
    epoch: 0,
    window: [0, 1],
    source: "window",
    probability: 1,
  };

  test("is the nearest in text before the pair is trained", () => {
    expect(partnerOf(failed, passed, [])).toMatchObject({ pair: null, answer: { sample_index: 6 } });
  });

  test("is the chosen one once the pair was trained", () => {
    expect(partnerOf(failed, passed, [pair])).toMatchObject({ pair: { step: 7 }, answer: { sample_index: 5 } });
  });

  test("is the repaired one where the model repaired the answer itself", () => {
    const repaired = { ...answer(32, "", "    return b + a\n"), phase: "repair" as const };
    const repair: Preference = { ...pair, chosen: repaired.completion, chosen_index: 32, origin: "codeflow" };
    expect(partnerOf(failed, passed, [repair], [repaired])?.answer).toBe(repaired);
  });

  test("is missing where nothing passed", () => {
    expect(partnerOf(failed, [], [])).toBeNull();
  });
});
