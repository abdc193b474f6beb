// Problem files as they are in the wild: EvalPlus, LiveCodeBench, TACO, code_contests, Markdown.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { zlibSync } from "fflate";
import { describe, expect, test } from "vitest";
import { problemsById, readProblemFile, readProblems, readRows } from "../../src/tasks/formats.ts";
import { unpackText, unpickleString } from "../../src/tasks/pickled_string.ts";
import type { Problem, Suite } from "../../src/tasks/problem.ts";
import { literalSource, parseLiteral, pythonString } from "../../src/tasks/python_literal.ts";

const folder = join(import.meta.dirname, "..", "golden", "data", "problems");
const golden = (name: string) => readFileSync(join(folder, name));
const bytes = (text: string) => new TextEncoder().encode(text);
const lines = (...rows: unknown[]) => bytes(rows.map((row) => JSON.stringify(row)).join("\n"));
const read = (file: Uint8Array, name = "p.jsonl") => readProblems(file, name, 0);
const only = (file: Uint8Array, name = "p.jsonl"): Problem => read(file, name)[0]!;

function suiteOf<K extends Suite["kind"]>(problem: Problem | undefined, kind: K): Extract<Suite, { kind: K }> {
  const suite = problem?.suite;
  if (suite?.kind !== kind) throw new Error(`${problem?.taskId} has no suite of kind ${kind}`);
  return suite as Extract<Suite, { kind: K }>;
}

describe("JSON as Python source", () => {
  test.each([
    ["1.0", "1.0"],
    ["123456789012345678901234567890", "123456789012345678901234567890"],
    ["[true, false, null]", "[True, False, None]"],
    ["[NaN, Infinity, -Infinity, -0.5e-3]", "[float('nan'), float('inf'), float('-inf'), -0.5e-3]"],
    ['{"a": [1], "b\\"": {}}', "{'a': [1], 'b\"': {}}"],
    ['"\\ud83d\\ude00\\n\\\\ \'"', "'\\U0001f600\\n\\\\ \\''"],
    ['"\\ud800"', "'\\ud800'"],
    [" [ ] ", "[]"],
  ])("%s", (json, source) => {
    expect(literalSource(parseLiteral(json))).toBe(source);
  });
  test.each(["", "[1,", "[1 2]", "{1: 2}", "nul", "[1] x", '"a'])("refuses %s", (text) => {
    expect(() => parseLiteral(text)).toThrow(SyntaxError);
  });
  test("is as deep as it may be, and no deeper", () => {
    expect(() => parseLiteral("[".repeat(10_000))).toThrow("nested deeper");
  });
  test("control characters are written out", () => {
    expect(pythonString("\0\u001b")).toBe("'\\u0000\\u001b'");
  });
});

describe("EvalPlus", () => {
  const problems = problemsById(read(golden("evalplus.jsonl")));
  test("inputs are Python source, floats as floats", () => {
    expect(suiteOf(problems.get("HumanEval/2"), "evalplus")).toMatchObject({
      base: ["3.5", "1.33", "123.456"],
      plus: ["999.99999", "0.3333333", "1.0", "1.5", "0.5", "0.999999"],
      atol: 1e-6,
      oracle: "equal",
    });
  });
  test("MBPP's inputs are tuples and complex numbers again", () => {
    expect(suiteOf(problems.get("Mbpp/2"), "evalplus").base[0]).toBe("(3, 4, 5, 6), (5, 7, 4, 10)");
    expect(suiteOf(problems.get("Mbpp/252"), "evalplus").plus[0]).toBe("complex('(1+2j)')");
  });
  test("problems with an oracle of their own", () => {
    const oracles = ["HumanEval/32", "Mbpp/2", "Mbpp/581"].map((id) => suiteOf(problems.get(id), "evalplus").oracle);
    expect(oracles).toEqual(["root", "set", "alternative"]);
  });
  test("a bare number names an MBPP problem where it is the only one of that number", () => {
    expect(problems.get("581")).toBe(problems.get("Mbpp/581"));
    expect(problems.get("2")).toBeUndefined(); // HumanEval/2 and Mbpp/2
  });
  test("a list in a .json file keeps its numbers exact, too", () => {
    const row =
      '{"task_id": "Mbpp/999", "prompt": "p", "entry_point": "f", "canonical_solution": "", "base_input": [[1.0, 12345678901234567890]]}';
    expect(suiteOf(only(bytes(`[${row}]`), "p.json"), "evalplus").base).toEqual(["1.0, 12345678901234567890"]);
  });
  test("MBPP+ v0.1.0 is judged as EvalPlus 0.2 did, without comparing as sets", () => {
    const old = { task_id: "Mbpp/249", prompt: "p", entry_point: "f", canonical_solution: "", base_input: [[1]] };
    const file = bytes(`${golden("evalplus.jsonl").toString().trim()}\n${JSON.stringify(old)}`);
    const byId = problemsById(read(file));
    expect(["Mbpp/2", "Mbpp/581", "HumanEval/32"].map((id) => suiteOf(byId.get(id), "evalplus").oracle)).toEqual([
      "equal",
      "equal",
      "root",
    ]);
  });
  test("inputs that are no lists are refused", () => {
    const row = { task_id: "Mbpp/2", prompt: "p", entry_point: "f", canonical_solution: "", base_input: [7] };
    expect(() => read(lines(row))).toThrow("p.jsonl, problem 1: base_input and plus_input: expected a list of arguments");
  });
});

describe("LiveCodeBench", () => {
  const [functional, stdin] = read(golden("livecodebench.jsonl"));
  const expected = JSON.parse(golden("expected.json").toString()).livecodebench;
  test("functional tests, public and private, are asserts on the method", () => {
    expect(functional).toMatchObject({ taskId: "LiveCodeBench/9001", entryPoint: "Solution", testTimeoutMs: 6000 });
    expect(functional?.tests).toHaveLength(expected[0].public + expected[0].private);
    expect(functional?.tests.slice(0, 2)).toEqual([
      "assert Solution().longestRun('aabbbc') == 3",
      "assert Solution().longestRun('a') == 1",
    ]);
    expect(functional?.prelude).toContain("from typing import *");
  });
  test("stdin tests, public and private, are a suite of programs", () => {
    const { cases, numbersByValue } = suiteOf(stdin, "programs");
    expect([cases.length, numbersByValue, stdin?.entryPoint]).toEqual([expected[1].public + expected[1].private, true, ""]);
    expect(cases[expected[1].public]).toEqual({ stdin: expected[1].first_private.input, accepted: [expected[1].first_private.output] });
    expect(cases.at(-1)?.accepted).toEqual([expected[1].last_private_output]);
  });
  test("a pickle that would call something is refused, in one sentence", () => {
    expect(() => read(golden("livecodebench_hostile.jsonl"))).toThrow(/problem 1: private_test_cases: the pickle holds more than a string/);
  });
  test("strings of every length that pickle writes", () => {
    const pickled = (head: number[], text: string) => unpickleString(new Uint8Array([0x80, 4, ...head, ...bytes(text), 0x94, 0x2e]));
    expect(pickled([0x8c, 2], "é")).toBe("é");
    expect(pickled([0x58, 3, 0, 0, 0], "abc")).toBe("abc");
    expect(pickled([0x8d, 1, 0, 0, 0, 0, 0, 0, 0], "z")).toBe("z");
    expect(() => unpickleString(new Uint8Array([0x80, 4, 0x8c, 200, 65]))).toThrow("ends too early");
    expect(() => unpackText("no base64!")).toThrow("not base64 of zlib data");
    expect(() => unpackText(btoa(String.fromCharCode(...zlibSync(new Uint8Array([0x80, 4, 0x4e, 0x2e])))))).toThrow("more than a string");
  });
  test("tests of both kinds are refused", () => {
    const tests = ["stdin", "functional"].map((testtype) => ({ input: "1", output: "1", testtype }));
    const row = { question_id: "x", question_content: "q", public_test_cases: JSON.stringify(tests) };
    expect(() => read(lines(row))).toThrow("its tests are of both kinds");
  });
});

describe("TACO, APPS and code_contests", () => {
  const [stdin, called, method] = read(golden("taco.jsonl"));
  test("stdin, with its own time limit", () => {
    expect(stdin).toMatchObject({ taskId: "TACO/0", entryPoint: "", testTimeoutMs: 2000 });
    expect(suiteOf(stdin, "programs").cases[2]).toEqual({ stdin: "4\n7 7 7 7", accepted: ["28 \n7\n\n"] });
  });
  test("fn_name: a function, its result bare or in a list", () => {
    expect(called).toMatchObject({ entryPoint: "swap_case_words", testTimeoutMs: 4000 });
    expect(called?.tests[1]).toBe("assert swap_case_words('') in ([''], tuple(['']), '')");
  });
  test("fn_name: a method where the starter code has a class", () => {
    expect(method).toMatchObject({ entryPoint: "Solution", testTimeoutMs: 1500 });
    expect(method?.tests[0]).toBe("assert Solution().countDivisible([2, 3, 4], 3, 2) == 2");
  });
  test("code_contests as others hand it on: several outputs may be accepted", () => {
    const test = [{ input: { stdin: "1" }, output: { stdout: ["1\n", "one\n"] } }];
    const problem = only(lines({ id: 3, content: "Say it.", labels: "{}", test: JSON.stringify(test) }));
    expect(problem.taskId).toBe("CodeContests/3");
    expect(suiteOf(problem, "programs").cases[0]).toEqual({ stdin: "1", accepted: ["1\n", "one\n"] });
  });
  test("code_contests as published: public, private and generated tests", () => {
    const pair = (text: string) => ({ input: [text], output: [text] });
    const row = {
      name: "a",
      description: "d",
      public_tests: pair("1"),
      private_tests: pair("2"),
      generated_tests: pair("3"),
      time_limit: { seconds: 1, nanos: 5e8 },
    };
    const problem = only(lines(row));
    expect([suiteOf(problem, "programs").cases.length, problem.testTimeoutMs]).toEqual([3, 1500]);
  });
  test.each([
    ["no tests", { question: "q", input_output: '{"inputs": [], "outputs": []}' }, "it has no tests"],
    ["an output short", { question: "q", input_output: '{"inputs": ["1"], "outputs": []}' }, "input_output: 1 inputs but 0 outputs"],
    ["broken JSON", { question: "q", input_output: "{" }, "input_output: it is not JSON"],
  ])("refused: %s", (_, row, message) => {
    expect(() => read(lines(row))).toThrow(`p.jsonl, problem 1: ${message}`);
  });
  test("MBPP with code_eval's field names", () => {
    const problem = only(
      lines({
        id: 11,
        content: "Remove it.",
        canonical_solution: "def rem(s):\r\n  return s",
        test_list: ["assert rem('a') == ''"],
        labels: {},
      }),
    );
    expect(problem).toMatchObject({ taskId: "Mbpp/11", entryPoint: "rem", text: "Remove it.", solution: "def rem(s):\n  return s" });
  });
});

describe("a teacher's file", () => {
  const markdown = `# Week 3

Two problems about numbers.

## double
Write a function \`double(x)\` that gives twice its argument.

assert double(2) == 4
assert double(-1) == -2

## mean
Write \`mean(xs)\`, the average of a list.

\`\`\`python
def mean(xs):
\`\`\`

\`\`\`python tests
import math
assert math.isclose(mean([1, 2]), 1.5)
for n in range(1, 4):
    assert mean([n] * n) == n
\`\`\`

\`\`\`python solution
def mean(xs):
    return sum(xs) / len(xs)
\`\`\`
`;
  const problems = read(bytes(markdown), "week3.md");
  test("a heading, sentences and asserts make a problem", () => {
    expect(problems[0]).toMatchObject({
      taskId: "double",
      entryPoint: "double",
      tests: ["assert double(2) == 4", "assert double(-1) == -2"],
    });
    expect(problems[0]?.prompt).toBe('"""\nWrite a function `double(x)` that gives twice its argument.\nassert double(2) == 4\n"""\n');
  });
  test("blocks: the beginning of the program, tests with what they need, a solution", () => {
    expect(problems[1]).toMatchObject({
      taskId: "mean",
      entryPoint: "mean",
      starter: "def mean(xs):",
      setup: "import math",
      tests: ["assert math.isclose(mean([1, 2]), 1.5)", "for n in range(1, 4):\n    assert mean([n] * n) == n"],
      solution: "def mean(xs):\n    return sum(xs) / len(xs)",
    });
  });
  test("without a heading the file names the problem", () => {
    expect(only(bytes("Add two.\n\nassert add2(1) == 3\n"), "folder/plus two.md").taskId).toBe("plus two");
  });
  test.each([
    ["a block without an end", "# a\ntext\n```python\nassert f(1) == 1\n", "line 3: the code block that begins here does not end"],
    ["nothing but tests", "# a\nassert f(1) == 1\n", "line 1: the problem a says nothing but its tests"],
    ["no tests", "# a\ntext\n", "there is no problem in it"],
  ])("refused: %s", (_, text, message) => {
    expect(() => read(bytes(text), "bad.md")).toThrow(message);
  });
  test("JSON without entry_point: the function that the first test calls", () => {
    expect(only(lines({ task_id: "A/1", prompt: "Double it.", tests: ["assert sorted(twice([2])) == [4]"] })).entryPoint).toBe("twice");
  });
});

describe("files with something wrong in them", () => {
  const good = { task_id: "A/1", prompt: "p", entry_point: "f", tests: ["assert f(1) == 1"] };
  test("what can be read is read, the rest is said", () => {
    const file = readProblemFile(bytes(`${JSON.stringify(good)}\n{"task_id":\n${JSON.stringify({ ...good, tests: [] })}\n`), "p.jsonl", 0);
    expect(file.problems.map(({ taskId }) => taskId)).toEqual(["A/1"]);
    expect(file.refused).toHaveLength(2);
    expect(file.refused[0]).toContain("p.jsonl, line 2 is not JSON");
  });
  test("samples are rows, or the sentence that says why not", () => {
    expect(readRows(bytes('{"task_id": 1}\nnonsense\n{"solution": "\\ud800\\u0000"}'), "s.jsonl")).toEqual([
      { value: { task_id: 1 } },
      { refused: expect.stringContaining("s.jsonl, line 2 is not JSON") },
      { value: { solution: "\ud800\0" } },
    ]);
  });
  test("one object over several lines", () => {
    expect(only(bytes(JSON.stringify(good, null, 2)), "p.json").taskId).toBe("A/1");
  });
});
