// errata export: a run's results in the formats of other tools.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { zipSync } from "fflate";
import * as v from "valibot";
import { InputError } from "../input_error.ts";
import { eventFile, eventFileName, scalarsOf } from "../tensorboard.ts";
import type { Command } from "./command.ts";
import { choiceFlag, textFlag } from "./flags.ts";
import { OutFolder } from "./out_folder.ts";
import { callerPath } from "./paths.ts";
import { readLines, readRecord } from "./run_folder.ts";

const FORMATS = ["peft", "trl", "evalplus", "tensorboard", "zip"] as const;

const flags = {
  run: textFlag("FOLDER", "the run's folder", null),
  format: choiceFlag(FORMATS, "for whom", null),
  out: textFlag("FOLDER", "where the files go", null),
  checkpoint: choiceFlag(["best", "last"], "peft: which adapter", "best"),
} as const;

export const exportCommand: Command<typeof flags> = {
  name: "export",
  summary: "a run's results for PEFT, TRL, EvalPlus, TensorBoard, or as a zip",
  description: `peft         adapter_config.json and adapter_model.safetensors of the best checkpoint, or of the last
trl          train.jsonl: prompt, chosen, rejected of every trained pair in its order (SFT: prompt, completion)
evalplus     before.jsonl, after.jsonl, after_last.jsonl: task_id, solution of every answer of the evaluations
tensorboard  an event file: the metrics of every step, pass@1 and the errors by type of every quiz
zip          run.zip: the whole run

Prints the files that it wrote, one a line.

  errata export --run RUN --format tensorboard --out LOGS`,
  flags,
  run: async (values, { print }) => {
    if (values.run === null) throw new InputError("Say which run: --run FOLDER.");
    if (values.format === null) throw new InputError(`Say for whom: --format ${FORMATS.join("|")}.`);
    if (values.out === null) throw new InputError("Say where the files go: --out FOLDER.");
    const run = callerPath(values.run);
    readRecord(run); // before anything is written: is it a run?
    const files = filesOf(values.format, run, values.checkpoint);
    const out = new OutFolder(callerPath(values.out));
    for (const [name, content] of files) {
      out.write(name, content);
      print(join(out.path, name));
    }
  },
};

type Files = [name: string, content: string | Uint8Array][];

function filesOf(format: (typeof FORMATS)[number], run: string, checkpoint: "best" | "last"): Files {
  switch (format) {
    case "peft":
      return adapterFiles(join(run, checkpoint === "best" ? "adapter" : "adapter_last"));
    case "trl":
      return [["train.jsonl", trlLines(run)]];
    case "evalplus":
      return evalPlusFiles(run);
    case "tensorboard": {
      const quizzes = readLines(run, "quizzes.jsonl", Quiz);
      const scalars = scalarsOf(readLines(run, "metrics.jsonl", Metrics), quizzes, statSync(join(run, "run.json")).mtimeMs / 1000);
      if (scalars.length === 0) throw new InputError(`${run}: there are no metrics yet.`);
      return [[eventFileName(scalars), eventFile(scalars)]];
    }
    case "zip":
      return [["run.zip", zipOf(run)]];
  }
}

function adapterFiles(folder: string): Files {
  if (!existsSync(folder)) throw new InputError(`${folder}: there is no such folder: the run has trained nothing yet.`);
  return readdirSync(folder).map((name) => [name, new Uint8Array(readFileSync(join(folder, name)))]);
}

const Pair = v.object({ prompt: v.string(), chosen: v.string(), rejected: v.optional(v.string()) });

function trlLines(run: string): string {
  const pairs = readLines(run, "preferences.jsonl", Pair);
  return linesOf(
    pairs.map(({ prompt, chosen, rejected }) => (rejected === undefined ? { prompt, completion: chosen } : { prompt, chosen, rejected })),
  );
}

const Sample = v.object({ task_id: v.string(), solution: v.string(), phase: v.string() });

function evalPlusFiles(run: string): Files {
  const samples = readLines(run, "samples.jsonl", Sample);
  const files = ["before", "after", "after_last"].map((phase): Files[number] => {
    const some = samples.filter((sample) => sample.phase === phase);
    return [`${phase}.jsonl`, linesOf(some.map(({ task_id, solution }) => ({ task_id, solution })))];
  });
  const filled = files.filter(([, content]) => content.length > 0);
  if (filled.length === 0) throw new InputError(`${run}: samples.jsonl holds no evaluation yet.`);
  return filled;
}

const Metrics = v.objectWithRest({ step: v.number(), num_tokens: v.number(), tokens_per_second: v.number() }, v.nullable(v.number()));
const Quiz = v.object({ step: v.number(), "pass@1": v.number(), errors: v.record(v.string(), v.number()) });

/** The folder without what an unfinished run keeps to go on. */
function zipOf(run: string): Uint8Array {
  const names = readdirSync(run, { recursive: true, encoding: "utf8" }).map((name) => name.split(sep).join("/"));
  const files = names.filter((name) => statSync(join(run, name)).isFile() && dirname(name).split("/")[0] !== "unfinished");
  return zipSync(Object.fromEntries(files.map((name) => [name, new Uint8Array(readFileSync(join(run, name)))])));
}

function linesOf(rows: readonly unknown[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
}
