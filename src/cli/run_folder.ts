// A run's folder, read back: for errata why and errata export.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { METHODS, PAIRS_PER_EPOCH } from "../ap2o/methods.ts";
import type { RunFiles } from "../ap2o/why.ts";
import { type Counts, isCounts } from "../counts.ts";
import { InputError } from "../input_error.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const CountsByType = v.custom<Counts>(isCounts, "expected numbers by name");
const FailedAnswer = v.object({ sample_index: count, error_type: v.string() });

const RunRecord = v.looseObject({
  method: v.picklist(METHODS),
  preset: v.string(),
  seed: count,
  config: v.looseObject({
    rule: v.picklist(["paper", "reference"]),
    pairs_per_epoch: v.exactOptional(v.picklist(PAIRS_PER_EPOCH)),
    shuffle_verdicts: v.exactOptional(v.boolean()),
    exam_n: v.exactOptional(count),
    codeflow_rounds: v.exactOptional(count),
  }),
});

const NotebookFile = v.object({
  rule: v.picklist(["paper", "reference"]),
  scope: v.picklist(["problem", "corpus"]),
  counts: CountsByType,
  problems: v.array(v.object({ task_id: v.string(), counts: CountsByType, passed: v.array(count), failed: v.array(FailedAnswer) })),
  dropped: v.array(
    v.object({
      ...{ task_id: v.string(), reason: v.string() },
      ...{ counts: v.exactOptional(CountsByType), failed: v.exactOptional(v.array(FailedAnswer)) },
    }),
  ),
});

const PreferenceLine = v.looseObject({
  step: count,
  task_id: v.string(),
  prompt: v.string(),
  chosen: v.string(),
  rejected: v.exactOptional(v.string()),
  chosen_index: count,
  rejected_index: v.exactOptional(count),
  chosen_ended: v.string(),
  error_type: v.string(),
  epoch: v.number(),
  window: v.tuple([count, count]),
  source: v.picklist(["window", "replay"]),
  probability: v.number(),
  width: v.exactOptional(v.number()),
  seed: v.exactOptional(v.number()),
  pair: v.exactOptional(v.number()),
  origin: v.exactOptional(v.picklist(["codeflow", "fallback"])),
});

const QuizLine = v.object({ step: count, "pass@1": v.number(), errors: CountsByType, replay: CountsByType });

const ResultLine = v.looseObject({
  task_id: v.string(),
  phase: v.string(),
  sample_index: count,
  error_label: v.string(),
  line: v.nullable(v.number()),
  message: v.string(),
});

/** What explains a run's pairs. Throws an InputError that names the file that is missing or is not as a run writes it. */
export function readRunFiles(folder: string): RunFiles {
  const { method, config } = readRecord(folder);
  const tried = readLines(folder, "results.jsonl", ResultLine).filter(({ phase }) => phase === "exam" || phase === "repair");
  return {
    method,
    rule: config.rule,
    wholeWindows: config.pairs_per_epoch === "window",
    shuffledVerdicts: config.shuffle_verdicts === true,
    repairs: { examN: config.exam_n ?? 0, rounds: config.codeflow_rounds ?? 1 },
    notebook: readDocument(folder, "notebook.json", NotebookFile),
    quizzes: readLines(folder, "quizzes.jsonl", QuizLine),
    preferences: readLines(folder, "preferences.jsonl", PreferenceLine),
    verdicts: new Map(tried.map((line) => [`${line.task_id} ${line.sample_index}`, line])),
  };
}

/** run.json */
export function readRecord(folder: string): v.InferOutput<typeof RunRecord> {
  return readDocument(folder, "run.json", RunRecord);
}

/** One of the folder's JSON files, as `schema` has it. */
export function readDocument<S extends v.GenericSchema>(folder: string, file: string, schema: S): v.InferOutput<S> {
  return parse(schema, readText(folder, file), join(folder, file));
}

/** The lines of one of the run's files, each as `schema` has it; a torn last line is left out. */
export function readLines<S extends v.GenericSchema>(folder: string, file: string, schema: S): v.InferOutput<S>[] {
  const lines = readText(folder, file).split("\n").slice(0, -1);
  return lines.map((line, i) => parse(schema, line, `${join(folder, file)}, line ${i + 1}`));
}

function readText(folder: string, file: string): string {
  const path = join(folder, file);
  if (!existsSync(path)) throw new InputError(`${path}: there is no such file; give the folder of a run (errata run --out).`);
  return readFileSync(path, "utf8");
}

function parse<S extends v.GenericSchema>(schema: S, text: string, where: string): v.InferOutput<S> {
  const json = v.safeParse(v.pipe(v.string(), v.parseJson()), text);
  if (!json.success) throw new InputError(`${where}: it is not JSON.`);
  const read = v.safeParse(schema, json.output);
  if (read.success) return read.output;
  throw new InputError(`${where}: ${v.getDotPath(read.issues[0]) ?? "it"}: ${read.issues[0].message}.`);
}
