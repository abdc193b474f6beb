// A run on its way, in a folder of its own: a journal of what it found out, and the two latest checkpoints of its student.
import * as v from "valibot";
import { applyEntry, emptyState, type Keeper, type RunCheckpoint, type RunEntry, type RunState } from "../ap2o/run_state.ts";
import { TimeShare } from "../ap2o/time_share.ts";
import { InputError } from "../input_error.ts";
import type { Phase } from "../records.ts";
import { readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import type { Folder } from "./folder.ts";
import { Journal, type JournalContents, readJournal } from "./journal.ts";

/** The journal's file. */
export const JOURNAL = "journal";
const VERSION = 2;
const CHECKPOINT = /^checkpoint-(\d{8})$/;
const KEPT_CHECKPOINTS = 2;
/** Share of a run's time that checkpoints between stages may take. */
const TIME_SHARE = 0.01;

const HeadSchema = v.object({
  /** Tells its checkpoints from another run's. */
  id: v.string(),
  /** When it was begun, as an ISO date. */
  started: v.string(),
  preset: v.string(),
  config: v.record(v.string(), v.unknown()),
  model: v.object({ id: v.string(), dtype: v.string(), sha256: v.string() }),
  /** Checksum of the problems. */
  problems: v.string(),
  device: v.string(),
  /** The tile of each class of products: the run goes on with the same ones, so that run.json says the same. */
  kernels: v.record(v.string(), v.string()),
  /** Checksum of the adapter's files that it goes on training; null: it began with a new one. Absent where that was not recorded. */
  start: v.optional(v.nullable(v.string())),
  /** Checksum of the kernels' code. Absent in runs of older versions. */
  code: v.optional(v.string()),
});

/** What a run was begun with. */
export type RunHead = v.InferOutput<typeof HeadSchema>;

const text = v.string();
const base64 = v.pipe(text, v.base64());
const number = v.custom<number>((value) => typeof value === "number"); // a skipped step's loss is NaN
const index = v.pipe(v.number(), v.integer(), v.minValue(0));

/** Entries are checked, not copied: fields keep their order, and those that are not listed here stay. */
const AnswerSchema = v.looseObject({
  task_id: text,
  phase: v.custom<Phase>((value) => typeof value === "string"),
  sample_index: index,
  split: text,
  solution: text,
  completion: text,
  ended: v.picklist(["stop", "end_token", "length"]),
  verdict: text,
  error_type: text,
  error_label: text,
  line: v.nullable(number),
  message: text,
  expected: v.nullable(text),
  got: v.nullable(text),
});

const MetricsSchema = v.looseObject({
  step: v.pipe(index, v.minValue(1)),
  epoch: number,
  loss: number,
  grad_norm: number,
  learning_rate: number,
  entropy: number,
  num_tokens: number,
  mean_token_accuracy: number,
  tokens_per_second: number,
});

const SecondsSchema = v.object({
  exam: number,
  analysis: number,
  correction: number,
  quiz: number,
  evaluation: number,
  firstStep: v.nullable(number),
});

const spent = { seconds: SecondsSchema, memoryPeak: v.exactOptional(number) };

const EntrySchema = v.variant("type", [
  v.object({
    type: v.literal("answers"),
    sitting: text,
    problem: index,
    answers: v.array(AnswerSchema),
    flops: number,
    ...spent,
  }),
  v.object({ type: v.literal("reference"), key: text, chosen: base64, rejected: base64, ...spent }),
  v.object({
    type: v.literal("step"),
    metrics: MetricsSchema,
    tokens: number,
    flops: number,
    referenceFlops: number,
    ...spent,
  }),
]);

/** An unfinished run as it was found. */
export interface StoredRun {
  readonly head: RunHead;
  readonly state: RunState;
  readonly checkpoint: RunCheckpoint | null;
  /** A sentence for each thing that was damaged and done without. */
  readonly warnings: readonly string[];
  readonly journal: JournalContents;
}

/** Whether the folder holds an unfinished run, readable or not. */
export async function hasStoredRun(folder: Folder): Promise<boolean> {
  return (await folder.read(JOURNAL)) !== null;
}

/**
 * Reads the unfinished run of a folder as far as it is whole: what is damaged is left out, and computed again.
 * @returns null where there is none, or where its beginning is damaged
 * @throws InputError where it is of another version of Errata
 */
export async function readStoredRun(folder: Folder): Promise<StoredRun | null> {
  const bytes = await folder.read(JOURNAL);
  const journal = bytes && readJournal(`${folder.name}/${JOURNAL}`, bytes, VERSION);
  const head = v.safeParse(HeadSchema, journal?.entries[0]);
  if (!journal || !head.success) return null;
  const warnings: string[] = [];
  if (journal.damagedBytes > 0) {
    warnings.push(`The last ${journal.damagedBytes} bytes of ${folder.name}/${JOURNAL} are damaged; what they held is computed again.`);
  }
  const state = emptyState();
  for (const entry of journal.entries.slice(1)) {
    if (!applyEntry(state, readEntry(folder, entry)))
      throw new InputError(`${folder.name}/${JOURNAL} does not follow: start the run anew.`);
  }
  const checkpoint = await latestCheckpoint(folder, head.output.id, state.steps.length, warnings);
  return { head: head.output, state, checkpoint, warnings, journal };
}

function readEntry(folder: Folder, entry: unknown): RunEntry {
  if (v.is(EntrySchema, entry)) return entry;
  throw new InputError(`${folder.name}/${JOURNAL}: an entry is none of a run's: start the run anew.`);
}

/** The latest whole checkpoint of the run that its journal reaches. */
async function latestCheckpoint(folder: Folder, run: string, steps: number, warnings: string[]): Promise<RunCheckpoint | null> {
  for (const path of (await checkpointPaths(folder)).reverse()) {
    const bytes = await folder.read(path);
    if (!bytes) continue;
    try {
      const read = await readCheckpoint(`${folder.name}/${path}`, bytes);
      if (read.run === run && read.checkpoint.step <= steps) return read.checkpoint;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      warnings.push(`${error.message.replace(/\.$/, "")}; the one before it is used.`);
    }
  }
  return null;
}

const pathOf = ({ step }: RunCheckpoint): string => `checkpoint-${String(step).padStart(8, "0")}`;

/** The latest last. */
async function checkpointPaths(folder: Folder): Promise<string[]> {
  const paths = (await folder.list()).map(({ path }) => path);
  return paths.filter((path) => CHECKPOINT.test(path)).sort();
}

/** What makes a run the one that it is. */
export type RunIdentity = Pick<RunHead, "preset" | "config" | "problems" | "model">;

/**
 * What differs between two runs, in words; [] where the one can go on as the other.
 * @param wanted what is asked for now
 */
export function differences(kept: RunIdentity, wanted: RunIdentity): string[] {
  const flat = ({ preset, config, problems, model }: RunIdentity): Record<string, unknown> => ({
    preset,
    ...config,
    problems: problems.slice(0, 12),
    model: model.id,
    dtype: model.dtype,
    "model's sha256": model.sha256.slice(0, 12),
  });
  const [before, now] = [flat(kept), flat(wanted)];
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  const shown = (value: unknown) => JSON.stringify(value) ?? "absent";
  return names
    .filter((name) => shown(before[name]) !== shown(now[name]))
    .map((name) => `${name} (${shown(before[name])} there, ${shown(now[name])} here)`);
}

/**
 * What is no longer as it was when the run was begun, and may move its last digits: a sentence each.
 * @param now what it would go on with
 */
export function drifts(kept: RunHead, now: Pick<RunHead, "device" | "code">): string[] {
  const since = "from here on its numbers may differ in the last digits.";
  return [
    ...(kept.device === now.device ? [] : [`The run was begun on another GPU or driver (${kept.device.trim()}): ${since}`]),
    ...(kept.code === now.code ? [] : [`The run was begun with another version of Errata, whose kernels may differ: ${since}`]),
  ];
}

/** Keeps a run in its folder while it goes on. */
export class RunKeeper implements Keeper {
  readonly #folder: Folder;
  readonly #run: string;
  readonly #journal: Journal;
  readonly #now: () => number;
  readonly #share: TimeShare;
  /** Time spent on keeping, in seconds. */
  seconds = 0;

  private constructor(folder: Folder, run: string, journal: Journal, now: () => number) {
    this.#folder = folder;
    this.#run = run;
    this.#journal = journal;
    this.#now = now;
    this.#share = new TimeShare(TIME_SHARE, now, Number.NEGATIVE_INFINITY);
  }

  /** Begins a run; what an earlier one left in the folder goes. */
  static async begin(folder: Folder, head: RunHead, now: () => number): Promise<RunKeeper> {
    await folder.remove(JOURNAL);
    for (const path of await checkpointPaths(folder)) await folder.remove(path);
    const journal = await Journal.begin(folder, JOURNAL, VERSION);
    await journal.append(head);
    await journal.flush();
    return new RunKeeper(folder, head.id, journal, now);
  }

  /** Goes on behind what was read of a run. Later checkpoints than the one it goes on from were no use, and would be counted among the latest. */
  static async goOn(folder: Folder, stored: StoredRun, now: () => number): Promise<RunKeeper> {
    const used = stored.checkpoint && pathOf(stored.checkpoint);
    for (const path of await checkpointPaths(folder)) if (used === null || path > used) await folder.remove(path);
    return new RunKeeper(folder, stored.head.id, await Journal.goOn(folder, JOURNAL, stored.journal), now);
  }

  async note(entry: RunEntry): Promise<void> {
    const started = this.#now();
    await this.#journal.append(entry);
    this.seconds += (this.#now() - started) / 1000;
  }

  async checkpoint(must: boolean, make: () => Promise<RunCheckpoint>): Promise<void> {
    const took = await this.#share.spend(async () => {
      const checkpoint = await make();
      await this.#journal.flush(); // a checkpoint counts only with the steps that led to it
      await this.#folder.write(pathOf(checkpoint), await writeCheckpoint(this.#run, checkpoint));
      for (const old of (await checkpointPaths(this.#folder)).slice(0, -KEPT_CHECKPOINTS)) await this.#folder.remove(old);
    }, must);
    this.seconds += took / 1000;
  }

  /** Closes the journal; the run can go on another time. */
  close(): Promise<void> {
    return this.#journal.close();
  }
}
