// From what came out of the sandbox to a verdict. Pure: no interpreter, no clock.

import { messageOf } from "../input_error.ts";
import { pythonString } from "../tasks/python_literal.ts";
import { PyError, truthy } from "./compare.ts";
import type { JudgeRequest, Verdict, VerdictKind } from "./judge.ts";
import { type Check, constant, evaluate, type Plan, printedDifference, type Tree } from "./plan.ts";
import { reprOf } from "./repr.ts";
import type { Outcome } from "./sandbox_protocol.ts";
import { decodeValue, type PyValue, textOf } from "./value.ts";

const MAX_TAIL = 2000; // characters of stderr and traceback
const MAX_SHOWN = 200; // characters of a call or value in a message

/** An exception inside, as the runner tells it. */
interface Failure {
  readonly category: string;
  readonly className: string;
  readonly line: number | null;
  readonly message: string;
  readonly trace: string;
}

/** What a verdict says beside its kind; the rest is filled in from the outcome. */
type Finding = Pick<Verdict, "verdict" | "errorType" | "errorLabel"> & Partial<Verdict>;

/** method.md's mapping for ends that have no exception. */
const ENDS: Record<Exclude<Outcome["end"], "done">, { verdict: VerdictKind; errorType: string }> = {
  timeout: { verdict: "timeout", errorType: "TimeoutError" },
  crash: { verdict: "crash", errorType: "UnknownError" },
  exit: { verdict: "exit", errorType: "SystemExit" },
  output_limit: { verdict: "output_limit", errorType: "UnknownError" },
  infra_error: { verdict: "infra_error", errorType: "" },
};

/**
 * The verdict of a run: its tests in their order, the first that fails decides, whatever happened after it.
 */
export function verdictOf(plan: Plan, request: JudgeRequest, outcome: Outcome): Verdict {
  const finding = firstFinding(plan, request, outcome);
  return {
    line: null,
    message: "",
    test: null,
    expected: null,
    got: null,
    stderrTail: outcome.stderr.slice(-MAX_TAIL),
    inside: plan.steps.some((step) => step.kind === "inside"),
    seconds: outcome.seconds,
    ...(outcome.end === "timeout" && { overrunSeconds: outcome.overrunMs / 1000 }),
    ...finding,
  };
}

/** A verdict for a request that could not be judged. */
export function infraError(message: string): Verdict {
  const nothing = { line: null, test: null, expected: null, got: null, stderrTail: "", inside: false, seconds: 0 };
  return { verdict: "infra_error", errorType: "", errorLabel: "", message, ...nothing };
}

function firstFinding(plan: Plan, request: JudgeRequest, outcome: Outcome): Finding {
  const [start, ...results] = outcome.results;
  if (start === undefined) return endFinding(outcome);
  if (start !== "") return failed(readFailure(start), plan, null, request, outcome);
  const values = new Map<number, PyValue>();
  let checked = 0;
  for (let done = 0; done <= plan.steps.length; done++) {
    for (; checked < plan.checks.length && plan.checks[checked]!.after <= done; checked++) {
      const finding = judgeCheck(plan.checks[checked]!, plan, values);
      if (finding) return finding;
    }
    const step = plan.steps[done];
    if (!step) break;
    const text = results[done];
    if (text === undefined) return { ...endFinding(outcome), test: step.test };
    if (text.startsWith("!")) return failed(readFailure(text), plan, done, request, outcome);
    if (step.kind === "value" || step.kind === "program") values.set(done, readValue(text));
  }
  return outcome.end === "done" ? { verdict: "pass", errorType: "", errorLabel: "" } : endFinding(outcome);
}

/** What the run's end says when no test failed before it. */
function endFinding(outcome: Outcome): Finding {
  if (outcome.end === "done") {
    return { verdict: "infra_error", errorType: "", errorLabel: "", message: "the interpreter gave fewer results than it has tests" };
  }
  const { verdict, errorType } = ENDS[outcome.end];
  const messages = { timeout: `not finished after ${Math.round(outcome.limitMs)} ms`, crash: `the interpreter died (${outcome.message})` };
  const message = outcome.end === "timeout" || outcome.end === "crash" ? messages[outcome.end] : outcome.message;
  return { verdict, errorType, errorLabel: errorType, message };
}

/** An encoded value; what an answer may have forged into no value at all equals nothing. */
function readValue(text: string): PyValue {
  try {
    return decodeValue(text);
  } catch (error) {
    return { type: "opaque", name: `unreadable: ${messageOf(error)}`, truth: true };
  }
}

function readFailure(text: string): Failure {
  const value = readValue(text.slice(1));
  const fields = value.type === "tuple" ? value.items : [];
  const string = (i: number) => (fields[i]?.type === "str" ? textOf(fields[i].literal) : "");
  const line = fields[2]?.type === "int" ? Number(fields[2].value) : null;
  return { category: string(0), className: string(1) || "UnknownError", line, message: string(3), trace: string(4) };
}

const SYNTAX_ERRORS = ["SyntaxError", "IndentationError", "TabError"];

/** The verdict of an exception in the program (step null) or in a step. */
function failed(failure: Failure, plan: Plan, done: number | null, request: JudgeRequest, outcome: Outcome): Finding {
  const step = done === null ? undefined : plan.steps[done];
  const kinds: Record<string, VerdictKind> = {
    syntax: "syntax_error",
    exit: "exit",
    memory: "memory_limit",
    no_entry_point: "no_entry_point",
    assertion: step?.kind === "inside" ? "wrong_answer" : "runtime_error",
  };
  const verdict = kinds[failure.category] ?? "runtime_error";
  const errorType = errorTypeOf(verdict, failure.className);
  const frames = withSource(failure.trace, request.program);
  const trace = frames && `Traceback (most recent call last):\n${frames}${failure.className}: ${failure.message}\n`;
  return {
    verdict,
    errorType,
    errorLabel: verdict === "wrong_answer" ? "WrongResult" : errorType,
    line: failure.line,
    message: failure.message || (verdict === "memory_limit" ? "needed more memory than an answer may use" : ""),
    test: step?.test ?? null,
    expected: step ? expectedAfter(plan, done! + 1) : null,
    stderrTail: (outcome.stderr + trace).slice(-MAX_TAIL),
  };
}

/** The frames, each with its line of the program below it, as Python shows them. */
function withSource(trace: string, program: string): string {
  if (trace === "") return "";
  const lines = program.split("\n");
  return trace.replace(/^ {2}File "answer\.py", line (\d+), .*$/gm, (frame, number) => {
    const source = lines[Number(number) - 1]?.trim();
    return source ? `${frame}\n    ${short(source)}` : frame;
  });
}

function errorTypeOf(verdict: VerdictKind, className: string): string {
  switch (verdict) {
    case "wrong_answer":
      return "AssertionError";
    case "syntax_error":
      return SYNTAX_ERRORS.includes(className) ? className : "SyntaxError";
    case "exit":
      return "SystemExit";
    case "memory_limit":
      return "MemoryError";
    case "no_entry_point":
      return "NameError";
    default:
      return className;
  }
}

/** What the check that needs a step would have expected of it. */
function expectedAfter(plan: Plan, after: number): string | null {
  const check = plan.checks.find((candidate) => candidate.after === after);
  return check ? expectedOf(check.tree, new Map()) : null;
}

function judgeCheck(check: Check, plan: Plan, values: ReadonlyMap<number, PyValue>): Finding | null {
  const call = callOf(check.tree, plan);
  try {
    if (truthy(evaluate(check.tree, values))) return null;
  } catch (error) {
    if (!(error instanceof PyError)) throw error;
    const got = gotOf(check.tree, values);
    return {
      verdict: "runtime_error",
      errorType: error.className,
      errorLabel: error.className,
      test: check.test,
      message: error.message,
      got,
    };
  }
  const [expected, got] = [expectedOf(check.tree, values), gotOf(check.tree, values)];
  const gave =
    expected && got && call ? `${short(call)} gave ${short(got)}, expected ${short(expected)}` : `not true: ${short(check.text)}`;
  const message = check.tree.op === "printed" ? printedMessage(check.tree, check.test, values) : gave;
  return { verdict: "wrong_answer", errorType: "AssertionError", errorLabel: "WrongResult", test: check.test, message, expected, got };
}

/** Where the first accepted output and what was printed part. */
function printedMessage(tree: Tree & { op: "printed" }, test: number, values: ReadonlyMap<number, PyValue>): string {
  const difference = printedDifference(tree, tree.accepted[0]!, values);
  const shown = (line: string | null | undefined) => (line === null || line === undefined ? "no such line" : JSON.stringify(short(line)));
  return `test ${test + 1}, line ${difference?.line} of the output: ${shown(difference?.got)}, expected ${shown(difference?.expected)}`;
}

function short(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

/** The steps that a tree uses, from left to right. */
function stepsOf(tree: Tree): number[] {
  if (tree.op === "step" || tree.op === "printed" || tree.op === "evalplus") return [tree.step];
  if (tree.op === "constant") return [];
  if (tree.op === "not") return stepsOf(tree.of);
  return tree.of.flatMap(stepsOf);
}

function callOf(tree: Tree, plan: Plan): string | null {
  const step = stepsOf(tree)[0];
  return step === undefined ? null : (plan.steps[step]?.source ?? null);
}

/** The repr of what the tree's first call gave. */
function gotOf(tree: Tree, values: ReadonlyMap<number, PyValue>): string | null {
  const value = values.get(stepsOf(tree)[0] ?? -1);
  return value ? reprOf(value) : null;
}

/** The repr of what a tree compares its call with, where that is one value. */
function expectedOf(tree: Tree, values: ReadonlyMap<number, PyValue>): string | null {
  if (tree.op === "step") return "True";
  if (tree.op === "printed") return short(pythonString(tree.accepted[0]!));
  if (tree.op === "evalplus") return expectedByEvalPlus(tree);
  if (tree.op === "not" && tree.of.op === "step") return "False";
  if (tree.op !== "compare" || tree.by.length !== 1) return null;
  const constant = tree.of.find((item) => item.op === "constant");
  if (!constant) return null;
  const value = reprOf(evaluate(constant, values));
  if (tree.by[0] === "==" || tree.by[0] === "is") {
    const nearby = tree.of.flatMap((item) => (item.op === "function" ? item.of : [])).find((item) => item.op === "arithmetic");
    return nearby ? null : value;
  }
  if (tree.by[0] !== "<" && tree.by[0] !== "<=") return null;
  return nearValue(tree, value, values);
}

function expectedByEvalPlus({ expected, by }: Tree & { op: "evalplus" }): string {
  const value = reprOf(constant(expected));
  if (by.oracle === "root") return `a root of the polynomial ${value}`;
  if (by.oracle === "set") return `${value} in any order`;
  if (by.oracle === "not_none") return value === "None" ? "None" : "not None";
  return by.atol > 0 ? `${value} ± ${by.atol}` : value;
}

/** `abs(f(x) - y) < eps` expects y, give or take eps. */
function nearValue(tree: Tree & { op: "compare" }, eps: string, values: ReadonlyMap<number, PyValue>): string | null {
  const absolute = tree.of[0];
  if (absolute?.op !== "function" || absolute.name !== "abs" || absolute.of[0]?.op !== "arithmetic") return null;
  const target = absolute.of[0].of.find((item) => item.op === "constant");
  return target ? `${reprOf(evaluate(target, values))} ± ${eps}` : null;
}
