// A run's files, as the command line writes them and the page zips them, read back into records. Any run can be opened so: the one
// that is shipped, a zip that someone sent, a folder of --out.
import * as v from "valibot";
import { type Counts, isCounts } from "../../counts.ts";
import { InputError } from "../../input_error.ts";
import type { Answer, EvaluationResult, Notebook, Preference, QuizResult, StepMetrics } from "../../records.ts";
import { breathe } from "./unzip.ts";

/** The content of run.json that the page reads; what else it holds is kept. */
export type RunRecord = v.InferOutput<typeof RunRecordSchema>;

/** A folder's files by their path in it. */
export type Files = ReadonlyMap<string, Uint8Array>;

export interface RunArchive {
  /** What to call it: the file's or folder's name. */
  name: string;
  record: RunRecord;
  answers: Answer[];
  notebook: Notebook;
  steps: StepMetrics[];
  pairs: Preference[];
  quizzes: QuizResult[];
  /** Everything that was in the folder, by its path there. */
  files: Files;
}

const counts = v.custom<Counts>(isCounts, "expected numbers by name");
const numberOrNull = v.nullable(v.number());
const textOrNull = v.nullable(v.string());
const phase = v.picklist(["exam", "repair", "quiz", "before", "after", "after_last"]);
const ended = v.picklist(["stop", "end_token", "length"]);

const Evaluation = v.object({
  "pass@1": v.number(),
  "pass@5": v.optional(v.number()),
  "pass@10": v.optional(v.number()),
  n: v.number(),
  problems: v.number(),
  errors: counts,
});

const RunRecordSchema = v.looseObject({
  method: v.string(),
  preset: v.string(),
  seed: v.number(),
  config: v.record(v.string(), v.unknown()),
  before: v.optional(Evaluation),
  after: v.optional(Evaluation),
  after_last: v.optional(Evaluation),
  steps: v.number(),
  seconds: v.record(v.string(), v.nullable(v.number())),
});

const Sample = v.object({
  task_id: v.string(),
  solution: v.string(),
  completion: v.string(),
  ended,
  sample_index: v.number(),
  step: v.exactOptional(v.number()),
  split: v.string(),
  phase,
});

const Result = v.object({
  task_id: v.string(),
  phase,
  sample_index: v.number(),
  step: v.exactOptional(v.number()),
  verdict: v.string(),
  error_type: v.string(),
  error_label: v.string(),
  line: numberOrNull,
  message: v.string(),
  expected: textOrNull,
  got: textOrNull,
});

const failedAnswers = v.array(v.object({ sample_index: v.number(), error_type: v.string() }));

const NotebookSchema = v.object({
  rule: v.picklist(["paper", "reference"]),
  scope: v.picklist(["problem", "corpus"]),
  counts,
  problems: v.array(
    v.object({
      task_id: v.string(),
      counts,
      passed: v.array(v.number()),
      failed: failedAnswers,
    }),
  ),
  dropped: v.array(
    v.object({
      task_id: v.string(),
      reason: v.string(),
      counts: v.exactOptional(counts),
      failed: v.exactOptional(failedAnswers),
    }),
  ),
});

const PreferenceSchema = v.looseObject({
  step: v.number(),
  task_id: v.string(),
  prompt: v.string(),
  chosen: v.string(),
  rejected: v.exactOptional(v.string()),
  chosen_index: v.number(),
  rejected_index: v.exactOptional(v.number()),
  chosen_ended: v.string(),
  rejected_ended: v.exactOptional(v.string()),
  error_type: v.string(),
  epoch: v.number(),
  window: v.tuple([v.number(), v.number()]),
  source: v.picklist(["window", "replay"]),
  probability: v.number(),
});

const optionalNumber = v.exactOptional(v.number());
/** A loss that was no number is null in JSON. */
const metric = v.pipe(
  numberOrNull,
  v.transform((value) => value ?? Number.NaN),
);

const MetricsSchema = v.object({
  step: v.number(),
  epoch: v.number(),
  loss: metric,
  grad_norm: metric,
  learning_rate: v.number(),
  entropy: v.optional(metric, null),
  num_tokens: v.optional(metric, null),
  "logits/chosen": optionalNumber,
  "logits/rejected": optionalNumber,
  mean_token_accuracy: v.optional(metric, null),
  "rewards/chosen": optionalNumber,
  "rewards/rejected": optionalNumber,
  "rewards/margins": optionalNumber,
  "rewards/accuracies": optionalNumber,
  "logps/chosen": optionalNumber,
  "logps/rejected": optionalNumber,
  tokens_per_second: v.number(),
  bad_tensor: v.exactOptional(v.string()),
});

const QuizSchema = v.object({ step: v.number(), "pass@1": v.number(), errors: counts, replay: counts });

type Schema<T> = v.GenericSchema<unknown, T>;

function fileOf(files: Files, path: string, name: string): Uint8Array {
  const bytes = files.get(path);
  if (!bytes) throw new InputError(`${name}: expected the files of a run, found no ${path}.`);
  return bytes;
}

function check<T>(schema: Schema<T>, text: string, place: string): T {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new InputError(`${place}: expected JSON, found ${text.length} characters that are not.`);
  }
  return checkValue(schema, json, place);
}

function checkValue<T>(schema: Schema<T>, json: unknown, place: string): T {
  const result = v.safeParse(schema, json);
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw new InputError(`${place}: ${v.getDotPath(issue) ?? "the record"}: ${issue.message}. Was it written by another version of Errata?`);
}

/** Lines that one piece of work reads before the page may draw again. */
const LINES_AT_ONCE = 200;

async function readLines<T>(files: Files, path: string, name: string, schema: Schema<T>): Promise<T[]> {
  const lines = new TextDecoder().decode(fileOf(files, path, name)).split("\n");
  const records: T[] = [];
  for (const [index, line] of lines.entries()) {
    if (line !== "") records.push(check(schema, line, `${name}: ${path}, line ${index + 1}`));
    if (index % LINES_AT_ONCE === LINES_AT_ONCE - 1) await breathe();
  }
  return records;
}

function joinAnswers(samples: readonly v.InferOutput<typeof Sample>[], results: readonly v.InferOutput<typeof Result>[], name: string) {
  const keyOf = ({ phase, step, task_id, sample_index }: v.InferOutput<typeof Sample> | v.InferOutput<typeof Result>) =>
    `${phase} ${step} ${task_id} ${sample_index}`;
  const verdicts = new Map(results.map((result) => [keyOf(result), result]));
  return samples.map((sample): Answer => {
    const result = verdicts.get(keyOf(sample));
    if (!result) throw new InputError(`${name}: results.jsonl has no verdict for answer ${sample.sample_index} to ${sample.task_id}.`);
    return { ...sample, ...result };
  });
}

/** The content of run.json, checked. */
export function readRecord(json: unknown, name: string): RunRecord {
  return checkValue(RunRecordSchema, json, `${name}: run.json`);
}

/**
 * Reads a run's files, in pieces, so that the page stays alive.
 * @param files by their path in the run's folder
 * @throws InputError that names the file, the line and what is wrong with it
 */
export async function readArchive(name: string, files: Files): Promise<RunArchive> {
  const text = (path: string) => new TextDecoder().decode(fileOf(files, path, name));
  const record = check(RunRecordSchema, text("run.json"), `${name}: run.json`);
  const notebook = check(NotebookSchema, text("notebook.json"), `${name}: notebook.json`);
  const samples = await readLines(files, "samples.jsonl", name, Sample);
  const results = await readLines(files, "results.jsonl", name, Result);
  return {
    name,
    files,
    record,
    notebook,
    answers: joinAnswers(samples, results, name),
    steps: await readLines(files, "metrics.jsonl", name, MetricsSchema),
    pairs: await readLines(files, "preferences.jsonl", name, PreferenceSchema),
    quizzes: await readLines(files, "quizzes.jsonl", name, QuizSchema),
  };
}

/** What an evaluation result of run.json is to the page. */
export function evaluationOf(record: RunRecord, when: "before" | "after" | "after_last"): EvaluationResult | null {
  const result = record[when];
  if (!result) return null;
  const { "pass@5": five, "pass@10": ten, ...rest } = result;
  return { ...rest, ...(five !== undefined && { "pass@5": five }), ...(ten !== undefined && { "pass@10": ten }) };
}
