// Problem files: Errata's own format, MBPP (full and sanitized) and HumanEval, as .json, .jsonl, or either gzipped.
import { gunzipSync } from "fflate";
import * as v from "valibot";
import { InputError } from "../input_error.ts";
import type { Problem } from "./problem.ts";
import { mbppSplit, splitByHash } from "./split.ts";

const filled = v.pipe(v.string(), v.minLength(1, "must not be empty"));
const identifier = v.pipe(v.string(), v.regex(/^[A-Za-z_]\w*$/, "must be the name of a Python function or class"));
const statements = v.pipe(v.array(v.string()), v.minLength(1, "must hold at least one test"));

const OwnRow = v.object({
  task_id: filled,
  prompt: filled,
  entry_point: identifier,
  tests: statements,
  setup: v.optional(v.string()),
  solution: v.optional(v.string()),
  split: v.optional(v.picklist(["train", "validation", "evaluation"])),
});

const MbppRow = v.object({
  task_id: v.union([v.number(), filled]),
  text: v.optional(v.string()),
  prompt: v.optional(v.string()),
  code: v.optional(v.string()),
  test_list: statements,
  test_setup_code: v.optional(v.string()),
  test_imports: v.optional(v.array(v.string())),
});

const HumanEvalRow = v.object({
  task_id: filled,
  prompt: filled,
  entry_point: identifier,
  canonical_solution: v.optional(v.string()),
  test: filled,
});

/**
 * Reads a problem file. `file` is its name, for messages; `seed` decides the splits of files that name none.
 * Throws an InputError that names the file, the row and what was found there.
 */
export function readProblems(bytes: Uint8Array, file: string, seed: number): Problem[] {
  const rows = readRows(bytes, file);
  if (rows.length === 0) throw new InputError(`${file}: there is no problem in it.`);
  const problems = rows.map((row, i) => readProblem(row, `${file}, problem ${i + 1}`, seed));
  const seen = new Set<string>();
  for (const { taskId } of problems) {
    if (seen.has(taskId)) throw new InputError(`${file}: the task_id ${taskId} occurs twice; every problem needs its own.`);
    seen.add(taskId);
  }
  return problems;
}

/** The rows of a .json (a list, or one object) or .jsonl file, gzipped or not. */
export function readRows(bytes: Uint8Array, file: string): unknown[] {
  const text = decodeText(bytes, file).trim();
  if (text === "") return [];
  if (text.startsWith("[")) {
    const list: unknown = parseJson(text, file);
    return Array.isArray(list) ? list : [list];
  }
  return text.split("\n").flatMap((line, i) => (line.trim() === "" ? [] : [parseJson(line, `${file}, line ${i + 1}`)]));
}

function decodeText(bytes: Uint8Array, file: string): string {
  try {
    const plain = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
    return new TextDecoder("utf-8", { fatal: true }).decode(plain);
  } catch (error) {
    throw new InputError(`${file} cannot be read as UTF-8 text or gzip: ${error instanceof Error ? error.message : error}.`);
  }
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError(`${where} is not JSON: ${error instanceof Error ? error.message : error}.`);
  }
}

function readProblem(row: unknown, where: string, seed: number): Problem {
  if (typeof row !== "object" || row === null || Array.isArray(row)) {
    throw new InputError(
      `${where}: expected an object with task_id, prompt, entry_point and tests, found ${JSON.stringify(row)?.slice(0, 60)}.`,
    );
  }
  if ("test_list" in row) return readMbpp(check(MbppRow, row, where), where);
  if ("base_input" in row) {
    throw new InputError(
      `${where}: these are EvalPlus problems (base_input, plus_input), which are not read yet; use the original MBPP or HumanEval file.`,
    );
  }
  if ("test" in row) return readHumanEval(check(HumanEvalRow, row, where), where);
  if ("tests" in row || "entry_point" in row) return readOwn(check(OwnRow, row, where), seed);
  const found = Object.keys(row).slice(0, 8).join(", ") || "no fields";
  throw new InputError(
    `${where}: unknown format with ${found}; expected task_id, prompt, entry_point and tests, or the fields of MBPP (test_list) or HumanEval (test).`,
  );
}

function check<S extends v.GenericSchema>(schema: S, row: unknown, where: string): v.InferOutput<S> {
  const result = v.safeParse(schema, row);
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw new InputError(`${where}: ${v.getDotPath(issue) ?? "row"}: ${issue.message}.`);
}

function readOwn(row: v.InferOutput<typeof OwnRow>, seed: number): Problem {
  return {
    taskId: row.task_id,
    prompt: row.prompt,
    entryPoint: row.entry_point,
    tests: row.tests,
    ...(row.setup !== undefined && { setup: row.setup }),
    ...(row.solution !== undefined && { solution: row.solution }),
    split: row.split ?? splitByHash(seed, row.task_id),
  };
}

function readMbpp(row: v.InferOutput<typeof MbppRow>, where: string): Problem {
  const number = Number(String(row.task_id).replace(/^Mbpp\//i, ""));
  if (!Number.isInteger(number)) throw new InputError(`${where}: task_id: expected a number or Mbpp/NUMBER, found ${row.task_id}.`);
  const text = unixLines(row.text ?? row.prompt ?? "").trim();
  if (text === "") throw new InputError(`${where}: text: an MBPP problem needs its text (or prompt).`);
  const tests = row.test_list.map(unixLines);
  const solution = row.code === undefined ? undefined : unixLines(row.code);
  const setup = [...(row.test_imports ?? []), row.test_setup_code ?? ""].filter((line) => line !== "").join("\n");
  return {
    taskId: `Mbpp/${number}`,
    prompt: `"""\n${text}\n${tests[0]}\n"""\n`, // as EvalPlus writes it: prompt + completion is a program
    text,
    entryPoint: entryPointOf(tests[0]!, solution, where),
    tests,
    ...(setup !== "" && { setup: unixLines(setup) }),
    ...(solution !== undefined && { solution }),
    split: mbppSplit(number),
  };
}

const CALLED_AROUND = new Set("set sorted len list tuple dict abs round str int float sum min max all any bool isinstance not".split(" "));

/** The function that an MBPP test calls: of those the solution defines where it is there, else the first that is no builtin. */
function entryPointOf(test: string, solution: string | undefined, where: string): string {
  const called = [...test.matchAll(/(?<![\w.])([A-Za-z_]\w*)\s*\(/g)].map((match) => match[1]!).filter((name) => name !== "assert");
  const defined = called.find((name) => solution !== undefined && new RegExp(`^(def|class) ${name}\\b`, "m").test(solution));
  const name = defined ?? called.find((candidate) => !CALLED_AROUND.has(candidate));
  if (name === undefined) throw new InputError(`${where}: test_list: no function call found in ${test.slice(0, 60)}.`);
  return name;
}

function readHumanEval(row: v.InferOutput<typeof HumanEvalRow>, where: string): Problem {
  const [, number] = /^(?:HumanEval\/)?(\d+)$/.exec(row.task_id) ?? [];
  if (number === undefined) throw new InputError(`${where}: task_id: expected HumanEval/NUMBER, found ${row.task_id}.`);
  return {
    taskId: `HumanEval/${number}`,
    prompt: row.prompt,
    entryPoint: row.entry_point,
    tests: humanEvalTests(row.test, row.entry_point),
    ...(row.canonical_solution !== undefined && { solution: row.prompt + row.canonical_solution }),
    split: "evaluation",
  };
}

/** The asserts of HumanEval's `check(candidate)` one by one; a `check` that does more than assert stays whole. */
export function humanEvalTests(test: string, entryPoint: string): string[] {
  const whole = [`${test}\ncheck(${entryPoint})`];
  const [before, body] = test.split(/^def check\(candidate\):[^\n]*\n/m);
  if (body === undefined || /^(import|from|def) /m.test(before!)) return whole;
  const indent = /^[ \t]+/m.exec(body)?.[0] ?? "";
  const statements: string[] = [];
  for (const line of body.split("\n")) {
    if (line.trim() === "" || line.trim().startsWith("#")) continue;
    if (line.startsWith(indent) && !/\s/.test(line[indent.length]!)) statements.push(line.slice(indent.length));
    else if (statements.length > 0) statements[statements.length - 1] += `\n${line}`;
  }
  if (statements.length === 0 || statements.some((statement) => !statement.startsWith("assert "))) return whole;
  return statements.map((statement) => statement.replace(/\bcandidate\b/g, entryPoint));
}

/** The problems named by `ids`, in the file's order; a bare number names an MBPP problem. Unknown ids are refused. */
export function selectProblems(problems: readonly Problem[], ids: readonly string[], file: string): Problem[] {
  const wanted = new Set(ids.map((id) => canonicalTaskId(problems, id, file)));
  return problems.filter((problem) => wanted.has(problem.taskId));
}

/** The task id of `problems` that `id` means: itself, or Mbpp/2 for a bare 2. */
export function canonicalTaskId(problems: readonly Problem[], id: string, file: string): string {
  const found = problems.find(({ taskId }) => taskId === id || taskId === `Mbpp/${id}`);
  if (!found) throw new InputError(`${file}: it has no problem with the task_id ${id}; its first is ${problems[0]?.taskId}.`);
  return found.taskId;
}

function unixLines(text: string): string {
  return text.replace(/\r\n?/g, "\n");
}
