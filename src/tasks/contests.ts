// Contest problems: LiveCodeBench, TACO (and APPS, which has the same fields), and code_contests. Programs that read standard input
// become a suite; functions become asserts, which are split like any others.
import * as v from "valibot";
import { unpackText } from "./pickled_string.ts";
import type { Problem, Suite } from "./problem.ts";
import { fieldOf, itemsOf, type Literal, literalSource, parseLiteral } from "./python_literal.ts";

type ProgramCase = Extract<Suite, { kind: "programs" }>["cases"][number];

/** What LiveCodeBench and TACO put before every answer (lcb_runner/evaluation/testing_util.py). */
const PRELUDE = `${"string re datetime collections heapq bisect copy math random statistics itertools functools operator io sys json builtins typing"
  .split(" ")
  .map((name) => `from ${name} import *`)
  .join("\n")}
import string, re, datetime, collections, heapq, bisect, copy, math, random, statistics, itertools, functools, operator, io, sys, json
sys.setrecursionlimit(50000)
`;
/** Where a format names no limit for a test: LiveCodeBench's, and the one of APPS and TACO. */
const LIVECODEBENCH_TEST_MS = 6000;
const CONTEST_TEST_MS = 4000;

const text = v.string();
const jsonOr = <S extends v.GenericSchema>(schema: S) => v.union([schema, v.pipe(text, v.parseJson(), schema)]);
const TestCase = v.object({ input: text, output: text, testtype: v.picklist(["stdin", "functional"]) });

export const LiveCodeBenchRow = v.object({
  question_id: v.union([text, v.number()]),
  question_content: text,
  starter_code: v.optional(text, ""),
  public_test_cases: jsonOr(v.array(TestCase)),
  private_test_cases: v.optional(text, ""),
  metadata: v.optional(jsonOr(v.object({ func_name: v.optional(text) })), {}),
});

export const TacoRow = v.object({
  question: text,
  input_output: v.union([text, v.looseObject({})]),
  solutions: v.optional(v.nullable(v.union([v.array(text), text]))),
  starter_code: v.optional(v.nullable(text), ""),
  time_limit: v.optional(v.nullable(v.union([text, v.number()]))),
  problem_id: v.optional(v.union([text, v.number()])),
});

const oneOrMore = v.union([text, v.array(text)]);
export const CodeEvalRow = v.object({
  id: v.union([text, v.number()]),
  content: text,
  test: jsonOr(v.array(v.object({ input: v.object({ stdin: text }), output: v.object({ stdout: oneOrMore }) }))),
});

const Pairs = v.object({ input: v.array(text), output: v.array(text) });
export const CodeContestsRow = v.object({
  name: text,
  description: text,
  public_tests: Pairs,
  private_tests: v.optional(Pairs),
  generated_tests: v.optional(Pairs),
  time_limit: v.optional(v.nullable(v.object({ seconds: v.number(), nanos: v.optional(v.number(), 0) }))),
});

/** A statement in a docstring, for models that continue code. */
function asDocstring(statement: string): string {
  return `"""\n${statement.replaceAll("\\", "\\\\").replaceAll('"""', '\\"\\"\\"').trim()}\n"""\n`;
}

function contestProblem(
  taskId: string,
  statement: string,
  starter: string,
  judged: Pick<Problem, "entryPoint" | "tests"> & Partial<Problem>,
): Problem {
  return {
    taskId,
    prompt: asDocstring(statement) + starter,
    text: statement.trim(),
    ...(starter.trim() !== "" && { starter }),
    prelude: PRELUDE,
    split: "evaluation",
    ...judged,
  };
}

function programs(cases: readonly ProgramCase[], numbersByValue: boolean): Pick<Problem, "entryPoint" | "tests" | "suite"> {
  if (cases.length === 0) throw new Error("it has no tests");
  return { entryPoint: "", tests: [], suite: { kind: "programs", cases, numbersByValue } };
}

/** `assert CALL(arguments) in (every accepted value)`; a list is also accepted as a tuple, as the formats' own judges have it. */
function callAssert(call: string, args: readonly Literal[], accepted: readonly Literal[]): string {
  const sources = accepted.flatMap((value) => [literalSource(value), ...(value.kind === "list" ? [`tuple(${literalSource(value)})`] : [])]);
  const called = `${call}(${args.map(literalSource).join(", ")})`;
  return sources.length === 1 ? `assert ${called} == ${sources[0]}` : `assert ${called} in (${sources.join(", ")})`;
}

/**
 * A LiveCodeBench problem with its public and private tests.
 * @throws Error one sentence when a test cannot be read
 */
export function readLiveCodeBench(row: v.InferOutput<typeof LiveCodeBenchRow>): Problem {
  const cases = [...row.public_test_cases, ...privateCases(row.private_test_cases)];
  const taskId = `LiveCodeBench/${row.question_id}`;
  const name = row.metadata.func_name;
  const kinds = new Set(cases.map(({ testtype }) => testtype));
  if (kinds.size > 1) throw new Error("its tests are of both kinds, stdin and functional");
  if (!kinds.has("functional")) {
    const suite = programs(
      cases.map(({ input, output }) => ({ stdin: input, accepted: [output] })),
      true,
    );
    return contestProblem(taskId, row.question_content, row.starter_code, { ...suite, testTimeoutMs: LIVECODEBENCH_TEST_MS });
  }
  if (name === undefined) throw new Error("metadata: functional tests need func_name");
  const call = /^\s*class Solution\b/m.test(row.starter_code) ? `Solution().${name}` : name;
  const tests = cases.map(({ input, output }) => {
    const args = input
      .split("\n")
      .filter((line) => line.trim() !== "")
      .map(parseLiteral);
    return callAssert(call, args, [parseLiteral(output)]);
  });
  const entryPoint = call === name ? name : "Solution";
  return contestProblem(taskId, row.question_content, row.starter_code, { entryPoint, tests, testTimeoutMs: LIVECODEBENCH_TEST_MS });
}

function privateCases(packed: string): v.InferOutput<typeof TestCase>[] {
  if (packed.trim() === "") return [];
  try {
    const unpacked = packed.trimStart().startsWith("[") ? packed : unpackText(packed);
    return v.parse(v.array(TestCase), JSON.parse(unpacked));
  } catch (error) {
    throw new Error(`private_test_cases: ${error instanceof Error ? error.message : error}`);
  }
}

/**
 * A problem of TACO or APPS. `index` is its place in the file, which names it where the row does not.
 * @throws Error one sentence when its tests cannot be read
 */
export function readTaco(row: v.InferOutput<typeof TacoRow>, index: number): Problem {
  const tests = typeof row.input_output === "string" ? row.input_output : JSON.stringify(row.input_output);
  const whole = readJson(tests, "input_output");
  const [inputs, outputs] = [itemsOf(fieldOf(whole, "inputs")), itemsOf(fieldOf(whole, "outputs"))];
  if (inputs.length !== outputs.length) throw new Error(`input_output: ${inputs.length} inputs but ${outputs.length} outputs`);
  if (inputs.length === 0) throw new Error("it has no tests");
  const starter = row.starter_code ?? "";
  const solution = firstSolution(row.solutions);
  const more = { testTimeoutMs: milliseconds(row.time_limit) ?? CONTEST_TEST_MS, ...(solution !== undefined && { solution }) };
  const taskId = `TACO/${row.problem_id ?? index}`;
  const name = atomText(fieldOf(whole, "fn_name"));
  if (name === null) {
    const cases = inputs.map((input, i) => ({ stdin: linesOf(input), accepted: [linesOf(outputs[i]!)] }));
    return contestProblem(taskId, row.question, starter, { ...programs(cases, false), ...more });
  }
  const inClass = /^\s*class Solution\b/m.test(starter.trim() === "" ? (solution ?? "") : starter);
  const call = inClass ? `Solution().${name}` : name;
  const asserts = inputs.map((input, i) => callAssert(call, argumentsOf(input), acceptedOf(outputs[i]!)));
  return contestProblem(taskId, row.question, starter, { entryPoint: inClass ? "Solution" : name, tests: asserts, ...more });
}

function readJson(source: string, field: string): Literal {
  try {
    return parseLiteral(source);
  } catch (error) {
    throw new Error(`${field}: it is not JSON (${error instanceof Error ? error.message : error})`);
  }
}

/** A list holds the arguments; anything else is the only one. */
const argumentsOf = (input: Literal): readonly Literal[] => (input.kind === "list" ? input.items : [input]);

/** TACO wraps an expected result in a list of one, or does not. */
function acceptedOf(output: Literal): Literal[] {
  return output.kind === "list" && output.items.length === 1 ? [output, output.items[0]!] : [output];
}

/** The text of a string, or of a list of lines. */
function linesOf(value: Literal): string {
  if (value.kind === "list") return value.items.map(linesOf).join("\n");
  const read = atomText(value);
  if (read === null) throw new Error("input_output: expected text to put in and to compare");
  return read;
}

/** The text of a string or number; null for anything else. */
function atomText(value: Literal | undefined): string | null {
  if (value?.kind !== "atom" || value.source === "None") return null;
  return value.text ?? value.source;
}

function firstSolution(solutions: v.InferOutput<typeof TacoRow>["solutions"]): string | undefined {
  if (typeof solutions !== "string") return solutions?.[0];
  const parsed = v.safeParse(v.pipe(text, v.parseJson(), v.array(text)), solutions);
  return parsed.success ? parsed.output[0] : undefined;
}

/** "2.0 seconds" or a number of seconds. */
function milliseconds(limit: string | number | null | undefined): number | null {
  const seconds = Number.parseFloat(String(limit ?? ""));
  return seconds > 0 ? Math.round(seconds * 1000) : null;
}

/** A problem of code_contests as other collections hand it on: content and a list of inputs with outputs. */
export function readCodeEval(row: v.InferOutput<typeof CodeEvalRow>): Problem {
  const cases = row.test.map(({ input, output }) => ({ stdin: input.stdin, accepted: [output.stdout].flat() }));
  const suite = programs(cases, false);
  return contestProblem(`CodeContests/${row.id}`, row.content, "", { ...suite, testTimeoutMs: CONTEST_TEST_MS });
}

/** A problem of code_contests as it was published. */
export function readCodeContests(row: v.InferOutput<typeof CodeContestsRow>): Problem {
  const groups = [row.public_tests, row.private_tests, row.generated_tests];
  const cases = groups.flatMap((group) => group?.input.map((stdin, i) => ({ stdin, accepted: [group.output[i] ?? ""] })) ?? []);
  const limit = row.time_limit ? row.time_limit.seconds * 1000 + row.time_limit.nanos / 1e6 : CONTEST_TEST_MS;
  return contestProblem(`CodeContests/${row.name}`, row.description, "", { ...programs(cases, false), testTimeoutMs: limit });
}
