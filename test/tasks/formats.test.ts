import { gzipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { InputError } from "../../src/input_error.ts";
import { humanEvalTests, readProblemFile, readProblems, readRunProblems, selectProblems } from "../../src/tasks/formats.ts";
import { mbppSplit, splitByHash } from "../../src/tasks/split.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const lines = (...rows: unknown[]) => bytes(rows.map((row) => JSON.stringify(row)).join("\n"));
const own = { task_id: "Demo/1", prompt: "# Add.\ndef add(a, b):\n", entry_point: "add", tests: ["assert add(1, 2) == 3"], split: "train" };
const mbpp = {
  task_id: 601,
  text: "Write a function to find the shared elements.",
  code: "import re\r\ndef similar(a, b): \r\n  return set(a) & set(b)\r\n",
  test_setup_code: "",
  test_list: ["assert set(similar((3, 4), (4, 5))) == set((4,))"],
  challenge_test_list: [],
};
const humanEval = {
  task_id: "HumanEval/7",
  prompt: "from typing import List\n\n\ndef double(xs: List[int]) -> List[int]:\n",
  entry_point: "double",
  canonical_solution: "    return [2 * x for x in xs]\n",
  test: "\n\nMETADATA = {}\n\n\ndef check(candidate):\n    assert candidate([1]) == [2]\n    assert candidate([1,\n        2]) == [2, 4]\n\n",
};

test("the own format, as lines, as a list and gzipped", () => {
  const expected = [{ taskId: "Demo/1", prompt: own.prompt, entryPoint: "add", tests: own.tests, split: "train" }];
  expect(readProblems(lines(own), "p.jsonl", 0)).toEqual(expected);
  expect(readProblems(bytes(JSON.stringify([own], null, 2)), "p.json", 0)).toEqual(expected);
  expect(readProblems(gzipSync(lines(own)), "p.jsonl.gz", 0)).toEqual(expected);
});

test("MBPP: canonical id, entry point from the test, unix lines, prompt as a docstring, the paper's split", () => {
  const [problem] = readProblems(lines(mbpp), "mbpp.jsonl", 0);
  expect(problem).toEqual({
    taskId: "Mbpp/601",
    prompt: '"""\nWrite a function to find the shared elements.\nassert set(similar((3, 4), (4, 5))) == set((4,))\n"""\n',
    text: mbpp.text,
    entryPoint: "similar",
    tests: mbpp.test_list,
    solution: "import re\ndef similar(a, b): \n  return set(a) & set(b)\n",
    split: "train",
  });
});

test("sanitized MBPP: prompt for text, imports before the tests, entry point without a solution", () => {
  const { text, code: _, ...rest } = mbpp;
  const [problem] = readProblems(lines({ ...rest, prompt: text, test_imports: ["import math"] }), "s.json", 0);
  expect(problem).toMatchObject({ text, entryPoint: "similar", setup: "import math" });
});

test("HumanEval: one test per assert, solution whole, all for evaluation", () => {
  const [problem] = readProblems(lines(humanEval), "HumanEval.jsonl", 0);
  expect(problem).toMatchObject({
    taskId: "HumanEval/7",
    tests: ["assert double([1]) == [2]", "assert double([1,\n        2]) == [2, 4]"],
    solution: humanEval.prompt + humanEval.canonical_solution,
    split: "evaluation",
  });
});

test("a set in HumanEval's format may have names of its own", () => {
  const row = { prompt: "def f(x):\n", entry_point: "f", test: "def check(candidate):\n    assert candidate(1) == 1\n" };
  const ids = ["7", "HumanEval/7", "Python/7", "mine"].map((task_id) => JSON.stringify({ ...row, task_id }));
  const read = ids.map((line) => readProblems(new TextEncoder().encode(line), "p.jsonl", 0)[0]!.taskId);
  expect(read).toEqual(["HumanEval/7", "HumanEval/7", "Python/7", "mine"]);
});

test("a HumanEval check that does more than assert stays whole", () => {
  const check = "def check(candidate):\n    for i in range(3):\n        assert candidate(i) == i\n";
  expect(humanEvalTests(check, "same")).toEqual([`${check}\ncheck(same)`]);
});

test("the paper's MBPP split", () => {
  expect([1, 10, 11, 510, 511, 600, 601, 974].map(mbppSplit)).toEqual([
    ...["train", "train", "evaluation", "evaluation"],
    ...["validation", "validation", "train", "train"],
  ]);
});

test("without a split: 60 / 15 / 25, the same for the same seed, another for another", () => {
  const ids = Array.from({ length: 2000 }, (_, i) => `Own/${i}`);
  const share = (split: string) => ids.filter((id) => splitByHash(1, id) === split).length / ids.length;
  expect(share("train")).toBeCloseTo(0.6, 1);
  expect(share("validation")).toBeCloseTo(0.15, 1);
  expect(share("evaluation")).toBeCloseTo(0.25, 1);
  expect(ids.some((id) => splitByHash(1, id) !== splitByHash(2, id))).toBe(true);
});

describe("a file whose format has one split alone", () => {
  const rowOf = (i: number) => ({
    ...humanEval,
    ...{ task_id: `HumanEval/${i}`, prompt: `# ${i}\n`, test: humanEval.test.replace("[1]", `[${i}]`) },
  });
  const twin = { ...rowOf(40), prompt: rowOf(3).prompt };
  const file = lines(...Array.from({ length: 40 }, (_, i) => rowOf(i)), twin);
  const splits = (problems: readonly { split: string }[]) => problems.map(({ split }) => split);

  test("stays whole but for a run, which needs three: dealt by the split seed, with a sentence", () => {
    expect(new Set(splits(readProblems(file, "HumanEval.jsonl", 0)))).toEqual(new Set(["evaluation"]));
    expect(readProblemFile(file, "HumanEval.jsonl", 0).oneSplit).toBe(true);
    const { problems, warning } = readRunProblems(file, "HumanEval.jsonl", 0);
    expect(splits(problems.slice(0, 40))).toEqual(Array.from({ length: 40 }, (_, i) => splitByHash(0, `HumanEval/${i}`)));
    expect(splits(readRunProblems(file, "HumanEval.jsonl", 1).problems)).not.toEqual(splits(problems));
    const count = (name: string) => splits(problems).filter((split) => split === name).length;
    expect(warning).toBe(
      `HumanEval.jsonl: by their format all 41 problems are for evaluation; this run deals them by split_seed 0: ${count("train")} to train on, ${count("validation")} for the quiz, ${count("evaluation")} held out.`,
    );
  });

  test("twins go into one split, wherever the hash would put them", () => {
    for (const seed of [0, 1, 2, 3, 4]) {
      const { problems } = readRunProblems(file, "HumanEval.jsonl", seed);
      expect(problems[40]!.split).toBe(problems[3]!.split);
    }
  });

  test("MBPP's published split, splits that are named, and two problems stay as they are", () => {
    const own2 = { ...own, task_id: "Demo/2", prompt: "# 2" };
    for (const some of [lines(mbpp, { ...mbpp, task_id: 11 }, { ...mbpp, task_id: 511 }), lines(own, own2, { ...own, task_id: "3" })]) {
      expect(readRunProblems(some, "p.jsonl", 0)).toEqual({ problems: readProblems(some, "p.jsonl", 0), warning: null });
    }
    const { problems, warning } = readRunProblems(lines(rowOf(1), rowOf(2)), "p.jsonl", 0);
    expect([splits(problems), warning]).toEqual([["evaluation", "evaluation"], null]);
  });
});

test("selecting by id: canonical or bare MBPP numbers, in the file's order", () => {
  const problems = readProblems(lines(mbpp, { ...mbpp, task_id: "Mbpp/602" }), "m", 0);
  expect(selectProblems(problems, ["602", "Mbpp/601"], "m").map(({ taskId }) => taskId)).toEqual(["Mbpp/601", "Mbpp/602"]);
  expect(() => selectProblems(problems, ["7"], "m.jsonl")).toThrow("m.jsonl: it has no problem with the task_id 7");
});

test.each([
  ["empty file", bytes("\n"), "bad.jsonl: there is no problem in it."],
  ["broken JSON", bytes(`${JSON.stringify(own)}\n{"task_id": `), "bad.jsonl, line 2 is not JSON"],
  ["binary", new Uint8Array([0xff, 0xfe, 0]), "cannot be read as UTF-8 text or gzip"],
  ["broken gzip", new Uint8Array([0x1f, 0x8b, 1, 2, 3]), "cannot be read as UTF-8 text or gzip"],
  ["unknown fields", lines({ question: "?", answer: 42 }), "problem 1: unknown format with question, answer"],
  ["not an object", lines(7), "problem 1: expected an object"],
  ["wrong type", lines({ ...own, tests: "assert True" }), "problem 1: tests: Invalid type"],
  ["no tests", lines({ ...own, tests: [] }), "tests: must hold at least one test"],
  ["bad entry point", lines({ ...own, entry_point: "a b" }), "entry_point: must be the name of a Python function"],
  ["bad split", lines({ ...own, split: "dev" }), "problem 1: split:"],
  ["twice the same id", lines(own, own), "the task_id Demo/1 occurs twice"],
  ["EvalPlus", lines({ task_id: "Mbpp/2", base_input: [] }), "EvalPlus problems"],
])("refused with one sentence: %s", (_, file, message) => {
  expect(() => readProblems(file, "bad.jsonl", 0)).toThrow(InputError);
  expect(() => readProblems(file, "bad.jsonl", 0)).toThrow(message);
});
