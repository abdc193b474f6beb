import { describe, expect, test } from "vitest";
import type { JudgeRequest } from "../../src/python/judge.ts";
import type { Check, Plan, Step, Tree } from "../../src/python/plan.ts";
import type { Outcome } from "../../src/python/sandbox_protocol.ts";
import { verdictOf } from "../../src/python/verdict.ts";

const request: JudgeRequest = { taskId: "Test/1", program: "", entryPoint: "f", tests: [], timeoutMs: 1000 };
const value = (test: number, source: string): Step => ({ kind: "value", test, source });
const equal = (test: number, step: number, expected: string): Check => {
  const tree: Tree = {
    op: "compare",
    by: ["=="],
    of: [
      { op: "step", step },
      { op: "constant", value: expected },
    ],
  };
  return { test, after: step + 1, text: "", tree };
};
const plan: Plan = { steps: [value(0, "f(2)"), value(1, "f(10)")], checks: [equal(0, 0, "i3;"), equal(1, 1, "ib;")] };

function judged(results: string[], more: Partial<Outcome> = {}, of: Plan = plan) {
  const outcome: Outcome = {
    type: "outcome",
    id: 1,
    end: "done",
    results,
    stepSeconds: results.map(() => 0),
    limitMs: 1000,
    overrunMs: 0,
    message: "",
    stderr: "",
    seconds: 0.1,
    fresh: true,
    healthy: true,
    dropped: 0,
    ...more,
  };
  return verdictOf(of, request, outcome);
}
const raised = (category: string, name: string, line: string, message: string) =>
  `!(s'${category}'s'${name}'${line}s'${message}'s'  File "answer.py", line 2, in f\\n')`;

describe("verdicts", () => {
  test("pass", () => {
    expect(judged(["", "i3;", "ib;"])).toMatchObject({ verdict: "pass", errorType: "", errorLabel: "", test: null, inside: false });
  });
  test("wrong answer: the first failing test, with what it expected and got", () => {
    const verdict = { verdict: "wrong_answer", errorType: "AssertionError", errorLabel: "WrongResult", test: 1, expected: "11", got: "12" };
    expect(judged(["", "i3;", "ic;"])).toMatchObject({ ...verdict, message: "f(10) gave 12, expected 11" });
  });
  test("a wrong result counts before whatever comes after it", () => {
    expect(judged(["", "i4;"], { end: "timeout" })).toMatchObject({ verdict: "wrong_answer", test: 0 });
    expect(judged(["", "i4;", raised("exception", "ValueError", "i2;", "no")])).toMatchObject({ verdict: "wrong_answer", test: 0 });
    expect(judged(["", "i3;"], { end: "timeout" })).toMatchObject({ verdict: "timeout", errorType: "TimeoutError", test: 1 });
  });
  test("an exception keeps its class, line, message and traceback", () => {
    const verdict = judged(["", "i3;", raised("exception", "ValueError", "i2;", "no")], { stderr: "oops\n" });
    expect(verdict).toMatchObject({ verdict: "runtime_error", errorType: "ValueError", line: 2, message: "no", test: 1, expected: "11" });
    expect(verdict.stderrTail).toBe('oops\nTraceback (most recent call last):\n  File "answer.py", line 2, in f\nValueError: no\n');
  });
  test.each([
    ["syntax", "IndentationError", "syntax_error", "IndentationError"],
    ["syntax", "RecursionError", "syntax_error", "SyntaxError"],
    ["exit", "Done", "exit", "SystemExit"],
    ["memory", "MemoryError", "memory_limit", "MemoryError"],
    ["no_entry_point", "NameError", "no_entry_point", "NameError"],
    ["assertion", "AssertionError", "runtime_error", "AssertionError"],
    ["made up", "", "runtime_error", "UnknownError"],
  ])("%s %s of the program", (category, name, verdict, errorType) => {
    expect(judged([raised(category, name, "N", "")])).toMatchObject({ verdict, errorType, errorLabel: errorType });
  });
  test.each([
    ["timeout", "TimeoutError"],
    ["crash", "UnknownError"],
    ["exit", "SystemExit"],
    ["output_limit", "UnknownError"],
    ["infra_error", ""],
  ] as const)("%s", (end, errorType) => {
    expect(judged([], { end })).toMatchObject({ verdict: end, errorType });
  });
  test("a failed assert inside is a wrong answer, and the verdict is marked", () => {
    const inside: Plan = { steps: [{ kind: "inside", test: 0, source: "assert odd(f)" }], checks: [] };
    const label = { verdict: "wrong_answer", errorLabel: "WrongResult", inside: true };
    expect(judged(["", raised("assertion", "AssertionError", "N", "")], {}, inside)).toMatchObject(label);
    expect(judged(["", ""], {}, inside)).toMatchObject({ verdict: "pass", inside: true });
  });
  test("a forged value equals nothing", () => {
    expect(judged(["", "i3;i3;", "ib;"])).toMatchObject({ verdict: "wrong_answer", test: 0 });
  });
  test("fewer results than tests is never a pass", () => {
    expect(judged(["", "i3;"])).toMatchObject({ verdict: "infra_error", errorType: "" });
    expect(judged([])).toMatchObject({ verdict: "infra_error" });
  });
  test("a comparison that Python refuses is its TypeError", () => {
    const tree: Tree = {
      op: "compare",
      by: ["<"],
      of: [
        { op: "step", step: 0 },
        { op: "constant", value: "i3;" },
      ],
    };
    const less: Plan = { steps: [value(0, "f(2)")], checks: [{ test: 0, after: 1, text: "f(2) < 3", tree }] };
    expect(judged(["", "N"], {}, less)).toMatchObject({ verdict: "runtime_error", errorType: "TypeError", got: "None" });
  });
});
