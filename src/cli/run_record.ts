// A finished run's run.json, for who asks to go on with it.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { checkConfig } from "../ap2o/config.ts";
import { InputError } from "../input_error.ts";
import { differences, type RunIdentity } from "../storage/run_store.ts";

const text = v.string();
const RecordSchema = v.looseObject({
  finished: v.boolean(),
  preset: text,
  config: v.record(text, v.unknown()),
  model: v.exactOptional(v.looseObject({ id: text, dtype: text, sha256: text })),
  /** Checksum of problems and shared exam. (The first version's files lack it.) */
  problems: v.exactOptional(text),
});

export type FinishedRun = v.InferOutput<typeof RecordSchema>;

/** run.json of the folder, or null where there is none that is finished. */
export function finishedRun(folder: string): FinishedRun | null {
  const file = join(folder, "run.json");
  if (!existsSync(file)) return null;
  const read = v.safeParse(v.pipe(text, v.parseJson(), RecordSchema), readFileSync(file, "utf8"));
  return read.success && read.output.finished ? read.output : null;
}

/**
 * Compares a finished run with what is asked for now, as an unfinished one is; what its run.json does not say is not compared.
 * @throws InputError that names each setting that differs, with both values
 */
export function checkFinished(folder: string, { preset, config, model, problems }: FinishedRun, wanted: RunIdentity): void {
  const kept = { preset, config: checkConfig(config), model: model ?? wanted.model, problems: problems ?? wanted.problems };
  const different = differences(kept, wanted);
  if (different.length > 0)
    throw new InputError(
      `${folder} holds a finished run of other settings: ${different.join(", ")}; give the same ones, or name another --out.`,
    );
}
