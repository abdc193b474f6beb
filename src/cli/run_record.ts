// A finished run's run.json, for who asks to go on with it.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { InputError } from "../input_error.ts";

const RecordSchema = v.looseObject({ finished: v.boolean(), preset: v.string(), config: v.record(v.string(), v.unknown()) });

/**
 * run.json of the folder, or null where there is none that is finished.
 * @param wanted what is asked for now
 * @throws InputError where the folder holds a finished run of other settings
 */
export function finishedRun(
  folder: string,
  wanted: { preset: string; config: Readonly<Record<string, unknown>> },
): Record<string, unknown> | null {
  const file = join(folder, "run.json");
  if (!existsSync(file)) return null;
  const read = v.safeParse(v.pipe(v.string(), v.parseJson(), RecordSchema), readFileSync(file, "utf8"));
  if (!read.success || !read.output.finished) return null;
  const { preset, config } = read.output;
  const names = Object.keys(wanted.config).filter((name) => JSON.stringify(wanted.config[name]) !== JSON.stringify(config[name]));
  if (preset !== wanted.preset) names.unshift("preset");
  if (names.length === 0) return read.output;
  throw new InputError(`${folder} holds a finished run of other settings (${names.join(", ")}): name another --out.`);
}
