// errata judge: verdicts on programs that are already there. No GPU.
import { statSync } from "node:fs";
import { basename, dirname } from "node:path";
import * as v from "valibot";
import { judgeRequest, verdictFields } from "../ap2o/sit.ts";
import { InputError } from "../input_error.ts";
import type { JudgeRequest } from "../python/judge.ts";
import { canonicalTaskId, readRows } from "../tasks/formats.ts";
import type { Problem } from "../tasks/problem.ts";
import type { Command } from "./command.ts";
import { choiceFlag, numberFlag, textFlag } from "./flags.ts";
import { openJudge, openProblems, PROBLEM_FLAGS } from "./open.ts";
import { OutFolder } from "./out_folder.ts";
import { callerPath, readInput } from "./paths.ts";

const flags = {
  problems: PROBLEM_FLAGS.problems,
  samples: textFlag("FILE", "programs, one JSON object a line: task_id with solution (whole) or completion (follows the prompt)", null),
  out: textFlag("FILE", "where the verdicts go, one JSON line per sample", null),
  isolation: choiceFlag(
    ["batch", "fresh"],
    "interpreters are used again between answers (cleaned and checked), or taken new for each",
    "batch",
  ),
  "timeout-ms": numberFlag("MS", "time for one program with all its tests", 3000, { integer: true, min: 1 }),
} as const;

export const judgeCommand: Command<typeof flags> = {
  name: "judge",
  summary: "verdicts on programs, without a GPU",
  description: `Runs each program with its problem's tests in a sandboxed Python in a headless Chromium. Writes one JSON line per sample, in their order:
task_id, verdict, error_type, error_label, line, message, stderr_tail, inside, seconds. Prints how many had each verdict.

  errata judge --problems mbpp.jsonl --samples samples.jsonl --out verdicts.jsonl`,
  flags,
  run: async (values, { print, progress, interrupted }) => {
    if (values.samples === null || values.out === null)
      throw new InputError("Give the programs and where the verdicts go: --samples FILE --out FILE.");
    const samplesPath = callerPath(values.samples);
    const problems = openProblems({ ...values, "task-ids": null }, 0);
    const requests = readSamples(readInput(samplesPath, "file of samples"), samplesPath, problems, values["timeout-ms"]);
    const path = callerPath(values.out);
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory())
      throw new InputError(`${path} is a folder: --out names the file for the verdicts.`);
    const out = new OutFolder(dirname(path));
    const judge = await openJudge(progress);
    try {
      let done = 0;
      const onVerdict = () => progress.show(`${++done} of ${requests.length} programs`);
      const verdicts = await judge.judge(requests, { isolation: values.isolation, onVerdict, signal: interrupted });
      const lines = verdicts.map((verdict, i) => {
        const { verdict: kind, error_type, error_label, line, message } = verdictFields(verdict);
        const { stderrTail: stderr_tail, inside, seconds } = verdict;
        return JSON.stringify({
          task_id: requests[i]!.taskId,
          verdict: kind,
          error_type,
          error_label,
          line,
          message,
          stderr_tail,
          inside,
          seconds,
        });
      });
      out.write(basename(path), lines.map((line) => `${line}\n`).join(""));
      const counts: Record<string, number> = {};
      for (const { verdict } of verdicts) counts[verdict] = (counts[verdict] ?? 0) + 1;
      print(JSON.stringify({ samples: verdicts.length, verdicts: counts }));
    } finally {
      await judge.close();
    }
  },
};

const Sample = v.object({
  task_id: v.union([v.string(), v.number()]),
  solution: v.optional(v.string()),
  completion: v.optional(v.string()),
});

function readSamples(bytes: Uint8Array, file: string, problems: readonly Problem[], timeoutMs: number): JudgeRequest[] {
  const byId = new Map(problems.map((problem) => [problem.taskId, problem]));
  return readRows(bytes, file).map((row, i) => {
    const where = `${file}, sample ${i + 1}`;
    const result = v.safeParse(Sample, row);
    if (!result.success)
      throw new InputError(
        `${where}: expected task_id with solution or completion; ${v.getDotPath(result.issues[0]) ?? "row"}: ${result.issues[0].message}.`,
      );
    const { task_id, solution, completion } = result.output;
    const problem = byId.get(String(task_id)) ?? byId.get(canonicalTaskId(problems, String(task_id), where))!;
    const program = solution ?? (completion === undefined ? undefined : problem.prompt + completion);
    if (program === undefined) throw new InputError(`${where}: it has neither solution nor completion.`);
    return judgeRequest(problem, program, timeoutMs);
  });
}
