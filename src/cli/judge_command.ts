// errata judge: verdicts on programs that are already there. No GPU.

import { statSync } from "node:fs";
import { basename, dirname } from "node:path";
import * as v from "valibot";
import { judgeRequest, verdictFields } from "../ap2o/sit.ts";
import { countEach } from "../counts.ts";
import { InputError } from "../input_error.ts";
import type { JudgeRequest, Verdict } from "../python/judge.ts";
import { infraError } from "../python/verdict.ts";
import { codeOfAnswer } from "../tasks/extract.ts";
import { type ProblemFile, problemsById, type Row, readProblemFile, readRows } from "../tasks/formats.ts";
import type { Problem } from "../tasks/problem.ts";
import type { Command } from "./command.ts";
import { choiceFlag, numberFlag, switchFlag, textFlag } from "./flags.ts";
import { openJudge, PROBLEM_FLAGS } from "./open.ts";
import { OutFolder } from "./out_folder.ts";
import { callerPath, DEMO_PROBLEMS, readInput } from "./paths.ts";

const DEFAULT_TIMEOUT_MS = 3000;

const flags = {
  problems: PROBLEM_FLAGS.problems,
  samples: textFlag("FILE", "programs, one JSON object a line: task_id with solution (whole) or completion (follows the prompt)", null),
  out: textFlag("FILE", "where the verdicts go, one JSON line per sample", null),
  isolation: choiceFlag(
    ["batch", "fresh"],
    "interpreters are used again between answers (cleaned and checked), or taken new for each",
    "batch",
  ),
  "timeout-ms": numberFlag("MS", "time for a program with all its tests, or for each test where the format limits those", null, {
    integer: true,
    min: 1,
  }),
  extract: switchFlag("solutions and completions are what a model wrote: take the code out of them"),
} as const;

export const judgeCommand: Command<typeof flags> = {
  name: "judge",
  summary: "verdicts on programs, without a GPU",
  description: `Runs each program with its problem's tests in a sandboxed Python in a headless Chromium. Writes one JSON line per sample, in their order:
task_id, verdict, error_type, error_label, line, message, expected, got, stderr_tail, inside, seconds; for EvalPlus problems also
base_verdict and plus_verdict. Prints how many had each verdict. Samples and problems that cannot be read are told one by one, and the
rest goes on. Without --timeout-ms the limits are those of the format, or ${DEFAULT_TIMEOUT_MS} ms for a program with all its tests.
The formats are described in docs/problems.md.

  errata judge --problems mbpp.jsonl --samples samples.jsonl --out verdicts.jsonl`,
  flags,
  run: async (values, { print, progress, interrupted }) => {
    if (values.samples === null || values.out === null)
      throw new InputError("Give the programs and where the verdicts go: --samples FILE --out FILE.");
    const samplesPath = callerPath(values.samples);
    const problemsPath = values.problems === "" ? DEMO_PROBLEMS : callerPath(values.problems);
    const file = readProblemFile(readInput(problemsPath, "problem file"), problemsPath, 0);
    const rows = readRows(readInput(samplesPath, "file of samples"), samplesPath);
    if (rows.length === 0) throw new InputError(`${samplesPath}: there is no sample in it.`);
    const samples = readSamples(rows, samplesPath, file, values);
    const path = callerPath(values.out);
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory())
      throw new InputError(`${path} is a folder: --out names the file for the verdicts.`);
    const out = new OutFolder(dirname(path));
    const unreadable = samples.flatMap((sample) => ("refused" in sample ? [sample.refused] : []));
    for (const sentence of [...file.refused, ...unreadable]) progress.say(sentence);
    const requests = samples.flatMap((sample) => ("request" in sample ? [sample.request] : []));
    const judge = await openJudge(progress);
    try {
      let done = 0;
      const onVerdict = () => progress.show(`${++done} of ${requests.length} programs`);
      const verdicts = await judge.judge(requests, { isolation: values.isolation, onVerdict, signal: interrupted });
      const next = verdicts.values();
      const lines = samples.map((sample) => {
        const verdict = "request" in sample ? next.next().value : infraError(sample.refused);
        return JSON.stringify({ task_id: sample.taskId, ...lineOf(verdict ?? infraError("it was not judged")) });
      });
      out.write(basename(path), lines.map((line) => `${line}\n`).join(""));
      for (const [i, verdict] of verdicts.entries())
        if (verdict.verdict === "infra_error") progress.say(`${requests[i]!.taskId} could not be judged: ${verdict.message}`);
      const refused = { problems_refused: file.refused.length, samples_refused: unreadable.length };
      print(JSON.stringify({ samples: samples.length, ...summaryOf(verdicts), ...refused }));
    } finally {
      await judge.close();
    }
  },
};

/** A verdict in the field names of the output. */
function lineOf(verdict: Verdict): Record<string, unknown> {
  const { expected, got, ...fields } = verdictFields(verdict);
  const { parts, rejudged, test, stderrTail: stderr_tail, inside, seconds } = verdict;
  return {
    ...fields,
    test,
    expected,
    got,
    stderr_tail,
    inside,
    seconds,
    ...(parts && { base_verdict: parts.base, plus_verdict: parts.plus }),
    ...(rejudged?.disagreed && { batch_verdict: rejudged.disagreed }),
  };
}

/** How many had each verdict, on EvalPlus's two sets of tests too, and how many were judged a second time to see that it is the same. */
function summaryOf(verdicts: readonly Verdict[]): Record<string, unknown> {
  const parts = verdicts.flatMap(({ parts }) => (parts ? [parts] : []));
  const rejudged = verdicts.flatMap(({ rejudged }) => (rejudged ? [rejudged] : []));
  return {
    verdicts: countEach(verdicts.map(({ verdict }) => verdict)),
    ...(parts.length > 0 && {
      base_verdicts: countEach(parts.map(({ base }) => base)),
      plus_verdicts: countEach(parts.map(({ plus }) => plus)),
    }),
    rejudged: rejudged.length,
    rejudged_otherwise: rejudged.filter(({ disagreed }) => disagreed !== null).length,
  };
}

const SampleRow = v.object({
  task_id: v.union([v.string(), v.number()]),
  solution: v.optional(v.string()),
  completion: v.optional(v.string()),
});

type Sample = { readonly taskId: string | null } & ({ readonly request: JudgeRequest } | { readonly refused: string });

function readSamples(
  rows: readonly Row[],
  path: string,
  file: ProblemFile,
  how: { "timeout-ms": number | null; extract: boolean },
): Sample[] {
  const byId = problemsById(file.problems);
  return rows.map((row, i) => readSample(row, `${path}, sample ${i + 1}`, byId, how));
}

function readSample(
  row: Row,
  where: string,
  byId: ReadonlyMap<string, Problem>,
  how: { "timeout-ms": number | null; extract: boolean },
): Sample {
  if ("refused" in row) return { taskId: null, refused: row.refused };
  const result = v.safeParse(SampleRow, row.value);
  if (!result.success) {
    const [issue] = result.issues;
    const refused = `${where}: expected task_id with solution or completion; ${v.getDotPath(issue) ?? "row"}: ${issue.message}.`;
    return { taskId: null, refused };
  }
  const { task_id, solution, completion } = result.output;
  const problem = byId.get(String(task_id));
  if (!problem) return { taskId: String(task_id), refused: `${where}: the problem file has no problem with the task_id ${task_id}.` };
  const { taskId } = problem;
  const written = solution ?? completion;
  if (written === undefined) return { taskId, refused: `${where}: it has neither solution nor completion.` };
  const asIs = solution ?? problem.prompt + written;
  const program = how.extract ? codeOfAnswer(written, problem) : asIs;
  return { taskId, request: withTimeout(judgeRequest(problem, program, DEFAULT_TIMEOUT_MS), how["timeout-ms"]) };
}

/** A limit that was asked for goes before the format's. */
function withTimeout(request: JudgeRequest, timeoutMs: number | null): JudgeRequest {
  if (timeoutMs === null) return request;
  const perTest = request.suite !== undefined || request.testTimeoutMs !== undefined;
  return { ...request, timeoutMs, ...(perTest && { testTimeoutMs: timeoutMs }) };
}
