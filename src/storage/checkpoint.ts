// A run's checkpoint as one file: a line with format, length and checksum, then the tensors as safetensors.
import * as v from "valibot";
import type { RunCheckpoint } from "../ap2o/run_state.ts";
import { InputError } from "../input_error.ts";
import type { AdapterFile } from "../model/peft.ts";
import { bytesSource, readSafetensorsHeader, readTensorF32, writeSafetensors } from "../model/safetensors.ts";
import { seal, unseal } from "./sealed.ts";

const KIND = "errata-checkpoint";
const VERSION = 1;

type Tensors = AdapterFile["tensors"];

const count = v.pipe(v.number(), v.integer(), v.minValue(0));

const FactsSchema = v.object({
  /** The id of the run that it belongs to. */
  run: v.string(),
  step: count,
  bestStep: v.nullable(count),
  counters: v.object({ steps: count, updates: count, tokens: count, longest: count }),
  lora: v.object({
    r: count,
    lora_alpha: v.number(),
    target_modules: v.array(v.string()),
    use_rslora: v.boolean(),
    lora_dropout: v.exactOptional(v.number()),
  }),
});

/**
 * The file's bytes.
 * @param run the id of the run that it belongs to
 */
export function writeCheckpoint(run: string, { step, best, student }: RunCheckpoint): Promise<Uint8Array<ArrayBuffer>> {
  const facts: v.InferOutput<typeof FactsSchema> = {
    run,
    step,
    bestStep: best?.step ?? null,
    counters: student.counters,
    lora: student.weights.config,
  };
  const parts: [string, Tensors][] = [
    ["weights", student.weights.tensors],
    ["exp_avg", student.expAvg],
    ["exp_avg_sq", student.expAvgSq],
    ["best", best?.weights.tensors ?? new Map()],
  ];
  const tensors = parts.flatMap(([part, named]) => [...named].map(([name, { shape, data }]) => ({ name: `${part}/${name}`, shape, data })));
  return seal(KIND, VERSION, writeSafetensors(tensors, { facts: JSON.stringify(facts) }));
}

/**
 * Reads a checkpoint.
 * @param name for messages
 * @throws InputError where it is damaged or of another version
 */
export async function readCheckpoint(name: string, bytes: Uint8Array): Promise<{ run: string; checkpoint: RunCheckpoint }> {
  const source = bytesSource(name, await unseal(name, KIND, VERSION, bytes));
  const header = await readSafetensorsHeader(source);
  const { run, step, bestStep, counters, lora } = readFacts(name, header.metadata.facts);
  const parts: Record<string, Tensors> = { weights: new Map(), exp_avg: new Map(), exp_avg_sq: new Map(), best: new Map() };
  for (const info of header.tensors.values()) {
    const slash = info.name.indexOf("/");
    const part = info.name.slice(0, slash);
    if (!Object.hasOwn(parts, part)) throw new InputError(`${name}: tensor "${info.name}" belongs to no part of a checkpoint.`);
    parts[part]!.set(info.name.slice(slash + 1), { shape: info.shape, data: await readTensorF32(source, info) });
  }
  const { weights, exp_avg: expAvg, exp_avg_sq: expAvgSq, best } = parts;
  const checkpoint: RunCheckpoint = {
    step,
    best: bestStep === null ? null : { step: bestStep, weights: { config: lora, tensors: best! } },
    student: { weights: { config: lora, tensors: weights! }, expAvg: expAvg!, expAvgSq: expAvgSq!, counters },
  };
  return { run, checkpoint };
}

function readFacts(name: string, text: string | undefined): v.InferOutput<typeof FactsSchema> {
  const facts = v.safeParse(v.pipe(v.string(), v.parseJson(), FactsSchema), text);
  if (!facts.success) throw new InputError(`${name}: expected a checkpoint's facts, found ${facts.issues[0].message}.`);
  return facts.output;
}
