// The folder of a sitting (errata exam, quiz, eval): its settings and answers, for who goes on with it or trains on it.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { InputError } from "../input_error.ts";
import type { Answer, Phase } from "../records.ts";
import { readDocument, readLines } from "./run_folder.ts";

/** What makes two sittings the same but for their number of answers. */
export interface SittingSettings {
  readonly sitting: string;
  readonly model: string;
  readonly model_sha256: string;
  readonly dtype: string;
  /** Checksum of the adapter's weights; "" without one. */
  readonly adapter_sha256: string;
  /** Checksum of the problem file. */
  readonly problems_sha256: string;
  /** What dealt the problems of a file that names no splits. (The first version's folders lack it.) */
  readonly split_seed?: number;
  readonly seed: number;
  readonly temperature: number;
  readonly max_new_tokens: number;
  readonly prompt_style: string;
  readonly timeout_ms: number;
}

export const SETTINGS_FILE = "sitting.json";

const SettingsSchema = v.object({
  sitting: v.string(),
  model: v.string(),
  model_sha256: v.string(),
  dtype: v.string(),
  adapter_sha256: v.string(),
  problems_sha256: v.string(),
  split_seed: v.exactOptional(v.number()),
  seed: v.number(),
  temperature: v.number(),
  max_new_tokens: v.number(),
  prompt_style: v.string(),
  timeout_ms: v.number(),
});

/** A run's own exam, by its run.json. */
const RunSchema = v.object({
  model: v.object({ id: v.string(), sha256: v.string(), dtype: v.string() }),
  config: v.object({
    seed: v.number(),
    split_seed: v.exactOptional(v.number()),
    exam_temperature: v.number(),
    max_new_tokens: v.number(),
    prompt_style: v.string(),
    exam_timeout_ms: v.number(),
  }),
  exam: v.object({ seed: v.optional(v.number()) }),
});

const nullableText = v.nullable(v.string());
const AnswerSchema = v.object({
  task_id: v.string(),
  phase: v.picklist(["exam", "repair", "quiz", "before", "after", "after_last"]),
  sample_index: v.pipe(v.number(), v.integer(), v.minValue(0)),
  split: v.string(),
  solution: v.string(),
  completion: v.string(),
  ended: v.picklist(["stop", "end_token", "length"]),
  verdict: v.string(),
  error_type: v.string(),
  error_label: v.string(),
  line: v.nullable(v.number()),
  message: v.string(),
  expected: nullableText,
  got: nullableText,
});

/** The settings of the sitting that `folder` holds, or null where there is none. */
export function readSettings(folder: string): SittingSettings | null {
  return readIfThere(folder, SETTINGS_FILE, SettingsSchema);
}

/** The settings of a run's own exam, or null where `folder` holds no run. A run does not say what its problem file was. */
function readRunSettings(folder: string): Omit<SittingSettings, "problems_sha256"> | null {
  const run = readIfThere(folder, "run.json", RunSchema);
  if (!run) return null;
  const { model, config, exam } = run;
  return {
    sitting: "exam",
    model: model.id,
    model_sha256: model.sha256,
    dtype: model.dtype,
    adapter_sha256: "",
    ...(config.split_seed !== undefined && { split_seed: config.split_seed }),
    seed: exam.seed ?? config.seed,
    temperature: config.exam_temperature,
    max_new_tokens: config.max_new_tokens,
    prompt_style: config.prompt_style,
    timeout_ms: config.exam_timeout_ms,
  };
}

/** Which settings that both name differ, each with both values; [] where none does. */
export function settingsThatDiffer(there: Partial<SittingSettings>, here: Partial<SittingSettings>): string[] {
  const [before, now] = [new Map(Object.entries(there)), new Map(Object.entries(here))];
  const names = [...now.keys()].filter((name) => before.has(name) && before.get(name) !== now.get(name));
  return names.map((name) => `${name} (${before.get(name)} there, ${now.get(name)} here)`);
}

/**
 * The answers of a phase, by task, each task's in the order of their numbers from 0 up to the first that is missing: a sitting that
 * was killed may have left a torn last line, or a sample without its result.
 */
export function readAnswers(folder: string, phase: Phase): Map<string, Answer[]> {
  const results = new Map(rowsOf(folder, "results.jsonl").map((row) => [keyOf(row), row]));
  const answers = new Map<string, Answer[]>();
  for (const sample of rowsOf(folder, "samples.jsonl")) {
    const result = results.get(keyOf(sample));
    if (!result || sample.phase !== phase) continue;
    const read = v.safeParse(AnswerSchema, { ...sample, ...result });
    if (!read.success) throw new InputError(`${folder}: samples.jsonl or results.jsonl: ${read.issues[0].message}; sit it anew.`);
    const known = answers.get(read.output.task_id) ?? [];
    known[read.output.sample_index] = read.output;
    answers.set(read.output.task_id, known);
  }
  for (const [task, known] of answers) answers.set(task, known.slice(0, firstMissing(known)));
  return answers;
}

/** An exam that was sat before, as a run takes it, and a checksum of it. */
export function readExam(folder: string, wanted: Partial<SittingSettings>) {
  const settings = readSettings(folder) ?? readRunSettings(folder);
  if (!settings) throw new InputError(`${folder} holds no exam: expected the folder of errata exam --out, or of a run.`);
  const different = settingsThatDiffer(settings, { sitting: "exam", ...wanted });
  if (different.length > 0)
    throw new InputError(`${folder}: the exam was sat with other settings than the run's: ${different.join(", ")}.`);
  const answers = readAnswers(folder, "exam");
  const sha256 = createHash("sha256")
    .update(JSON.stringify([...answers]))
    .digest("hex");
  return { answers, seed: settings.seed, sha256 };
}

function firstMissing(answers: readonly Answer[]): number {
  for (let i = 0; i < answers.length; i++) if (answers[i] === undefined) return i;
  return answers.length;
}

const Row = v.record(v.string(), v.unknown());

const keyOf = (row: v.InferOutput<typeof Row>): string => `${row.phase} ${row.task_id} ${row.sample_index}`;

/** The lines of a file, or none where there is no file yet. */
function rowsOf(folder: string, file: string): v.InferOutput<typeof Row>[] {
  return existsSync(join(folder, file)) ? readLines(folder, file, Row) : [];
}

function readIfThere<S extends v.GenericSchema>(folder: string, file: string, schema: S): v.InferOutput<S> | null {
  return existsSync(join(folder, file)) ? readDocument(folder, file, schema) : null;
}
