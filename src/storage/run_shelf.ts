// All runs that are kept in one place, each in a folder of its own: on its way (run_store.ts) until it is finished, then as its files.
import * as v from "valibot";
import { InputError } from "../input_error.ts";
import { type Folder, type StoredFile, subfolder } from "./folder.ts";
import { JOURNAL, type RunHead, RunKeeper, readStoredRun, type StoredRun } from "./run_store.ts";
import { checksumOf } from "./sealed.ts";

/** A kept run, for a list. */
export interface KeptRun {
  readonly id: string;
  /** When it was begun, as an ISO date; "" where that cannot be read. */
  readonly started: string;
  readonly method: string;
  readonly preset: string;
  readonly seed: number;
  /** Optimiser steps taken. */
  readonly steps: number;
  readonly finished: boolean;
  readonly bytes: number;
}

/** A file of a run, by its path in the run's folder. */
export interface RunFile {
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const FILES = "files";
const RECORD = `${FILES}/run.json`;
const START = "start";
const PROBLEMS = "problems.json";
const ID = /^[\w-]+$/;
const RecordSchema = v.looseObject({
  method: v.string(),
  preset: v.string(),
  seed: v.number(),
  steps: v.number(),
  started: v.optional(v.string(), ""),
});

export class RunShelf {
  readonly #folder: Folder;

  constructor(folder: Folder) {
    this.#folder = folder;
  }

  /** The latest first. Of a run that was finished when its page was killed, what it needed on its way is removed now. */
  async list(): Promise<KeptRun[]> {
    const runs: KeptRun[] = [];
    for (const [id, files] of await this.#folders()) {
      const whole = files.reduce((sum, { bytes }) => sum + bytes, 0);
      const run = await this.#describe(id, whole);
      runs.push(run.finished ? { ...run, bytes: whole - (await this.#tidy(id, files)) } : run);
    }
    return runs.sort((a, b) => (a.started < b.started ? 1 : -1));
  }

  /** The files of each run, by its id. */
  async #folders(): Promise<Map<string, StoredFile[]>> {
    const folders = new Map<string, StoredFile[]>();
    for (const { path, bytes } of await this.#folder.list()) {
      const [id = "", ...rest] = path.split("/");
      folders.set(id, [...(folders.get(id) ?? []), { path: rest.join("/"), bytes }]);
    }
    return folders;
  }

  /** Removes all of a finished run but its files; gives the bytes that they took. */
  async #tidy(id: string, files: readonly StoredFile[]): Promise<number> {
    const rest = files.filter(({ path }) => !path.startsWith(`${FILES}/`));
    for (const { path } of rest) await this.#of(id).remove(path);
    return rest.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Removes what was written of runs that were killed before they had begun. To be called while no tab begins one. */
  async sweep(): Promise<void> {
    for (const [id, files] of await this.#folders()) {
      const begun = files.some(({ path }) => path === JOURNAL || path === RECORD);
      if (!begun && ID.test(id)) await this.remove(id);
    }
  }

  async #describe(id: string, bytes: number): Promise<KeptRun> {
    const folder = this.#of(id);
    const record = v.safeParse(v.pipe(v.string(), v.parseJson(), RecordSchema), await textOf(folder, RECORD));
    if (record.success) {
      const { method, preset, seed, steps, started } = record.output;
      return { id, started, method, preset, seed, steps, finished: true, bytes };
    }
    const stored = await readStoredRun(folder).catch((error: unknown) => {
      if (error instanceof InputError) return null; // of another version: listed, so that it can be deleted
      throw error;
    });
    if (!stored) return { id, started: "", method: "?", preset: "?", seed: 0, steps: 0, finished: false, bytes };
    const { started, preset, config } = stored.head;
    return {
      id,
      started,
      preset,
      method: String(config.method),
      seed: Number(config.seed),
      steps: stored.state.steps.length,
      finished: false,
      bytes,
    };
  }

  /**
   * Begins to keep a run.
   * @param head whose `problems` is `problemsChecksum` of them
   * @param start the adapter's files that it goes on training; null where it begins with a new one
   */
  async begin(head: RunHead, problems: readonly unknown[], start: readonly RunFile[] | null, now: () => number): Promise<RunKeeper> {
    const folder = this.#of(head.id);
    await folder.write(PROBLEMS, bytesOf(problems));
    for (const { path, bytes } of start ?? []) await folder.write(`${START}/${path}`, bytes);
    return RunKeeper.begin(folder, { ...head, start: start && (await filesChecksum(start)) }, now);
  }

  /**
   * An unfinished run with all that it needs to go on.
   * @throws InputError where it cannot, or where its problems or its first adapter are not what it was begun with
   */
  async open(id: string): Promise<{ stored: StoredRun; problems: unknown; start: RunFile[] | null }> {
    const folder = this.#of(id);
    const stored = await readStoredRun(folder);
    const problems = await folder.read(PROBLEMS);
    if (!stored || problems === null) throw new InputError("The beginning of this run is damaged, so that it cannot go on: delete it.");
    const files = await filesBelow(folder, START);
    const start = files.length > 0 ? files : null;
    const { head } = stored;
    if ((await checksumOf(problems)) !== head.problems) throw new InputError(changed("problems of this run were"));
    if (head.start !== undefined && (start && (await filesChecksum(start))) !== head.start)
      throw new InputError(changed("first adapter of this run was"));
    return { stored, problems: JSON.parse(new TextDecoder().decode(problems)), start };
  }

  goOn(id: string, stored: StoredRun, now: () => number): Promise<RunKeeper> {
    return RunKeeper.goOn(this.#of(id), stored, now);
  }

  /** Keeps a finished run's files in place of what it needed on its way. */
  async finish(id: string, files: readonly RunFile[]): Promise<void> {
    const folder = this.#of(id);
    const record = (path: string) => `${FILES}/${path}` === RECORD; // the last, since it says that the run is finished
    for (const { path, bytes } of [...files.filter(({ path: p }) => !record(p)), ...files.filter(({ path: p }) => record(p))]) {
      await folder.write(`${FILES}/${path}`, bytes);
    }
    await this.#tidy(id, await folder.list());
  }

  /** A finished run's files. */
  async files(id: string): Promise<RunFile[]> {
    const files = await filesBelow(this.#of(id), FILES);
    if (files.length === 0) throw new InputError("This run is not finished: go on with it, then its files can be taken.");
    return files;
  }

  remove(id: string): Promise<void> {
    return this.#folder.remove(id);
  }

  #of(id: string): Folder {
    if (!ID.test(id)) throw new InputError(`There is no run ${id}.`);
    return subfolder(this.#folder, id);
  }
}

/** The checksum that a run's head has of its problems. */
export const problemsChecksum = (problems: readonly unknown[]): Promise<string> => checksumOf(bytesOf(problems));

/** Of paths and bytes, in whatever order they come. */
async function filesChecksum(files: readonly RunFile[]): Promise<string> {
  const each = await Promise.all(files.map(async ({ path, bytes }) => [path, await checksumOf(bytes)]));
  return checksumOf(bytesOf(each.sort()));
}

const bytesOf = (value: unknown): Uint8Array<ArrayBuffer> => new TextEncoder().encode(JSON.stringify(value));

const changed = (what: string): string => `The ${what} changed or damaged since it was begun, so that it cannot go on: delete it.`;

async function textOf(folder: Folder, path: string): Promise<string | null> {
  const bytes = await folder.read(path);
  return bytes && new TextDecoder().decode(bytes);
}

async function filesBelow(folder: Folder, name: string): Promise<RunFile[]> {
  const below = subfolder(folder, name);
  const files: RunFile[] = [];
  for (const { path } of await below.list()) files.push({ path, bytes: (await below.read(path)) ?? new Uint8Array() });
  return files;
}
