// Problem files: .json, .jsonl or Markdown, gzipped or not. Which format a row has is told by its fields; docs/problems.md lists them.
import * as v from "valibot";
import { InputError } from "../input_error.ts";
import { gunzip } from "../unpack.ts";
import {
  CodeContestsRow,
  CodeEvalRow,
  LiveCodeBenchRow,
  readCodeContests,
  readCodeEval,
  readLiveCodeBench,
  readTaco,
  TacoRow,
} from "./contests.ts";
import { asOfItsVersion, EvalPlusRow, readEvalPlus } from "./evalplus.ts";
import { type MarkdownProblem, readMarkdown } from "./markdown.ts";
import type { Problem, Split } from "./problem.ts";
import { listItems } from "./python_literal.ts";
import { dealtOut, mbppSplit, splitByHash, withoutEmptySplits } from "./split.ts";

const filled = v.pipe(v.string(), v.minLength(1, "must not be empty"));
const identifier = v.pipe(v.string(), v.regex(/^[A-Za-z_]\w*$/, "must be the name of a Python function or class"));
const statements = v.pipe(v.array(v.string()), v.minLength(1, "must hold at least one test"));

const OwnRow = v.object({
  task_id: filled,
  prompt: filled,
  entry_point: v.optional(identifier),
  tests: statements,
  setup: v.optional(v.string()),
  solution: v.optional(v.string()),
  split: v.optional(v.picklist(["train", "validation", "evaluation"])),
});

const MbppRow = v.object({
  task_id: v.optional(v.union([v.number(), filled])),
  id: v.optional(v.union([v.number(), filled])), // code_eval's names: id, content, canonical_solution
  text: v.optional(v.string()),
  prompt: v.optional(v.string()),
  content: v.optional(v.string()),
  code: v.optional(v.string()),
  canonical_solution: v.optional(v.string()),
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

/** What a problem file holds: its problems, and a sentence for each row that is none. */
export interface ProblemFile {
  readonly problems: readonly Problem[];
  readonly refused: readonly string[];
  /** Whether the formats of its rows put all of them into the same split: they name none, and a run needs three. */
  readonly oneSplit: boolean;
}

/**
 * Reads a problem file, all of it or nothing. `file` is its name, for messages; `splitSeed` decides the splits of files that name none.
 * Throws an InputError that names the file, the row and what was found there.
 */
export function readProblems(bytes: Uint8Array, file: string, splitSeed: number): Problem[] {
  return [...readWholeFile(bytes, file, splitSeed).problems];
}

/**
 * The problems of a file as a run takes them: where the file's format has one split alone (HumanEval: evaluation), they are dealt out by
 * `splitSeed`, and `warning` says so.
 * @throws InputError as readProblems
 */
export function readRunProblems(bytes: Uint8Array, file: string, splitSeed: number): { problems: Problem[]; warning: string | null } {
  const { problems, oneSplit } = readWholeFile(bytes, file, splitSeed);
  if (!oneSplit || problems.length < 3) return { problems: [...problems], warning: null };
  const dealt = dealtOut(problems, splitSeed);
  const count = (name: Split) => dealt.filter(({ split }) => split === name).length;
  const parts = `${count("train")} to train on, ${count("validation")} for the quiz, ${count("evaluation")} held out`;
  const all = `by their format all ${problems.length} problems are for ${problems[0]!.split}`;
  return { problems: dealt, warning: `${file}: ${all}; this run deals them by split_seed ${splitSeed}: ${parts}.` };
}

/** Reads a problem file, all of it or nothing, as readProblems. */
export function readWholeFile(bytes: Uint8Array, file: string, splitSeed: number): ProblemFile {
  const read = readProblemFile(bytes, file, splitSeed);
  if (read.refused[0] !== undefined) throw new InputError(read.refused[0]);
  return read;
}

/**
 * Reads a problem file; rows that cannot be read are refused one by one.
 * Throws an InputError when nothing in it is a problem.
 */
export function readProblemFile(bytes: Uint8Array, file: string, splitSeed: number): ProblemFile {
  const problems: Problem[] = [];
  const refused: string[] = [];
  const seen = new Set<string>();
  const unnamed = new Set<string>();
  let byFormat = true;
  const splitOf: SplitOf = (taskId, named) => {
    byFormat = false;
    if (named !== undefined) return named;
    unnamed.add(taskId);
    return splitByHash(splitSeed, taskId);
  };
  for (const [i, text] of rowTexts(decodeText(bytes, file), file).entries()) {
    try {
      const problem = readProblem(text, i, file, splitOf);
      if (seen.has(problem.taskId))
        throw new InputError(`${file}: the task_id ${problem.taskId} occurs twice; every problem needs its own.`);
      seen.add(problem.taskId);
      problems.push(problem);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      refused.push(error.message);
    }
  }
  if (problems.length === 0) throw new InputError(refused[0] ?? `${file}: there is no problem in it.`);
  const oneSplit = byFormat && problems.every(({ split }) => split === problems[0]!.split);
  return { problems: withoutEmptySplits(asOfItsVersion(problems), unnamed), refused, oneSplit };
}

/** A row of a file, or the sentence that says why it cannot be read. */
export type Row = { readonly value: unknown } | { readonly refused: string };

/** The rows of a .json (a list, or one object) or .jsonl file, gzipped or not. */
export function readRows(bytes: Uint8Array, file: string): Row[] {
  return rowTexts(decodeText(bytes, file), file).map(({ text, where }) => {
    try {
      return { value: parseJson(text, where) };
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return { refused: error.message };
    }
  });
}

/** A row as it stands in its file: JSON, or a problem in Markdown. */
interface RowText {
  readonly text: string;
  readonly where: string;
  readonly markdown?: MarkdownProblem;
}

function rowTexts(text: string, file: string): RowText[] {
  if (text.trim() === "") return [];
  if (/\.(md|markdown)(\.gz)?$/i.test(file)) return markdownRows(text, file);
  if (text.trimStart().startsWith("[")) return listRows(text, file);
  const lines = text.split("\n").map((line, i) => ({ text: line.trim(), where: `${file}, line ${i + 1}` }));
  const rows = lines.filter((line) => line.text !== "");
  const whole = rows.length > 1 && rows[0]!.text.startsWith("{") && !rows[0]!.text.endsWith("}");
  return whole ? [{ text, where: file }] : rows;
}

/** The items of a JSON list, each as its own text. */
function listRows(text: string, file: string): RowText[] {
  const list = parseJson(text, file);
  if (!Array.isArray(list)) return [{ text, where: file }];
  // EvalPlus's numbers are read exactly, from the text itself.
  const exact = text.includes('"base_input"') ? listItems(text) : null;
  return list.map((item: unknown, i) => ({ text: exact?.[i] ?? JSON.stringify(item), where: `${file}, row ${i + 1}` }));
}

function markdownRows(text: string, file: string): RowText[] {
  const title = file.replace(/^.*[\\/]/, "").replace(/\.(md|markdown)(\.gz)?$/i, "");
  try {
    return readMarkdown(text, title).map((markdown) => ({ text: "", where: `${file}, line ${markdown.line}`, markdown }));
  } catch (error) {
    throw new InputError(`${file}: ${error instanceof Error ? error.message : error}.`);
  }
}

/** As long as a text can be. */
const MAX_UNPACKED = 512 * 2 ** 20;

function decodeText(bytes: Uint8Array, file: string): string {
  try {
    const plain = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzip(bytes, MAX_UNPACKED) : bytes;
    return new TextDecoder("utf-8", { fatal: true }).decode(plain);
  } catch (error) {
    throw new InputError(`${file} cannot be read as UTF-8 text or gzip: ${error instanceof Error ? error.message : error}.`);
  }
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // Python writes NaN and Infinity, which are no JSON.
    const mended = text.replace(/("(?:[^"\\]|\\.)*")|-?\b(?:NaN|Infinity)\b/g, (_, string) => string ?? "null");
    if (mended !== text) return parseJson(mended, where);
    throw new InputError(`${where} is not JSON: ${error instanceof Error ? error.message : error}.`);
  }
}

/** The split of a problem of the own formats: the one that its row names, or one that is dealt to it. */
type SplitOf = (taskId: string, named?: Split) => Split;

function readProblem({ text, where: place, markdown }: RowText, index: number, file: string, split: SplitOf): Problem {
  const where = `${file}, problem ${index + 1}`;
  if (markdown) return readMarkdownProblem(markdown, place, split);
  const row = parseJson(text, place);
  if (typeof row !== "object" || row === null || Array.isArray(row)) {
    throw new InputError(
      `${where}: expected an object with task_id, prompt, entry_point and tests, found ${JSON.stringify(row)?.slice(0, 60)}.`,
    );
  }
  try {
    return readRow(row, text, index, where, split);
  } catch (error) {
    throw error instanceof InputError ? error : new InputError(`${where}: ${error instanceof Error ? error.message : error}.`);
  }
}

/** Which format a row has is told by its fields. */
function readRow(row: object, text: string, index: number, where: string, split: SplitOf): Problem {
  if ("test_list" in row) return readMbpp(check(MbppRow, row, where), where);
  if ("base_input" in row) return readEvalPlus(check(EvalPlusRow, row, `${where} (EvalPlus problems)`), text);
  if ("question_id" in row || "public_test_cases" in row) return readLiveCodeBench(check(LiveCodeBenchRow, row, where));
  if ("input_output" in row) return readTaco(check(TacoRow, row, where), index);
  if ("public_tests" in row) return readCodeContests(check(CodeContestsRow, row, where));
  if ("content" in row && "test" in row) return readCodeEval(check(CodeEvalRow, row, where));
  if ("test" in row) return readHumanEval(check(HumanEvalRow, row, where));
  if ("tests" in row || "entry_point" in row) return readOwn(check(OwnRow, row, where), where, split);
  const found = Object.keys(row).slice(0, 8).join(", ") || "no fields";
  throw new InputError(
    `${where}: unknown format with ${found}; expected task_id, prompt, entry_point and tests, or the fields of a format named in docs/problems.md.`,
  );
}

function check<S extends v.GenericSchema>(schema: S, row: unknown, where: string): v.InferOutput<S> {
  const result = v.safeParse(schema, row);
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw new InputError(`${where}: ${v.getDotPath(issue) ?? "row"}: ${issue.message}.`);
}

function readOwn(row: v.InferOutput<typeof OwnRow>, where: string, split: SplitOf): Problem {
  return {
    taskId: row.task_id,
    prompt: row.prompt,
    entryPoint: row.entry_point ?? entryPointOf(row.tests[0]!, row.solution ?? row.prompt, `${where}: tests`),
    tests: row.tests,
    ...(row.setup !== undefined && { setup: row.setup }),
    ...(row.solution !== undefined && { solution: row.solution }),
    split: split(row.task_id, row.split),
  };
}

/** A Markdown problem: what is shown is its text and first assert as a docstring, as for MBPP, then the beginning of the program. */
function readMarkdownProblem({ title, text, start, solution, setup, tests }: MarkdownProblem, where: string, split: SplitOf): Problem {
  const taskId = title.trim();
  if (text === "" && start === "")
    throw new InputError(`${where}: the problem ${taskId} says nothing but its tests: describe what to write.`);
  const statement = `${text}\n${tests[0]}`.replaceAll("\\", "\\\\").replaceAll('"""', '\\"\\"\\"');
  return {
    taskId,
    prompt: `"""\n${statement}\n"""\n${start === "" ? "" : `${start}\n`}`,
    text,
    ...(start !== "" && { starter: start }),
    entryPoint: entryPointOf(tests[0]!, solution || start, where),
    tests,
    ...(setup !== "" && { setup }),
    ...(solution !== "" && { solution }),
    split: split(taskId),
  };
}

function readMbpp(row: v.InferOutput<typeof MbppRow>, where: string): Problem {
  const id = row.task_id ?? row.id;
  const number = Number(String(id).replace(/^Mbpp\//i, ""));
  if (!Number.isInteger(number)) throw new InputError(`${where}: task_id: expected a number or Mbpp/NUMBER, found ${id}.`);
  const text = unixLines(row.text ?? row.prompt ?? row.content ?? "").trim();
  if (text === "") throw new InputError(`${where}: text: an MBPP problem needs its text (or prompt).`);
  const tests = row.test_list.map(unixLines);
  const code = row.code ?? row.canonical_solution;
  const solution = code === undefined ? undefined : unixLines(code);
  const setup = [...(row.test_imports ?? []), row.test_setup_code ?? ""].filter((line) => line !== "").join("\n");
  return {
    taskId: `Mbpp/${number}`,
    prompt: `"""\n${text}\n${tests[0]}\n"""\n`, // as EvalPlus writes it: prompt + completion is a program
    text,
    entryPoint: entryPointOf(tests[0]!, solution, `${where}: test_list`),
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
  if (name === undefined) throw new InputError(`${where}: no function call found in ${test.slice(0, 60)}.`);
  return name;
}

function readHumanEval(row: v.InferOutput<typeof HumanEvalRow>): Problem {
  return {
    taskId: row.task_id.replace(/^(?=\d+$)/, "HumanEval/"), // sets in HumanEval's format have names of their own
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

/** The problems named by `ids`, in the file's order; a bare number is enough where the file's ids end in it. Unknown ids are refused. */
export function selectProblems(problems: readonly Problem[], ids: readonly string[], file: string): Problem[] {
  const byId = problemsById(problems);
  const wanted = new Set(
    ids.map((id) => {
      const problem = byId.get(id);
      if (!problem) throw new InputError(`${file}: it has no problem with the task_id ${id}; its first is ${problems[0]?.taskId}.`);
      return problem;
    }),
  );
  return problems.filter((problem) => wanted.has(problem));
}

/** The problems by their canonical id (Mbpp/2), and by what stands after its slash (2) where that names one alone. */
export function problemsById(problems: readonly Problem[]): ReadonlyMap<string, Problem> {
  const bare = new Map<string, Problem | null>();
  for (const problem of problems) {
    const short = problem.taskId.slice(problem.taskId.indexOf("/") + 1);
    bare.set(short, bare.has(short) ? null : problem);
  }
  const unique = [...bare].flatMap(([id, problem]) => (problem ? [[id, problem] as const] : []));
  return new Map([...unique, ...problems.map((problem) => [problem.taskId, problem] as const)]);
}

function unixLines(text: string): string {
  return text.replace(/\r\n?/g, "\n");
}
