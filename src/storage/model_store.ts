// Models that were downloaded: kept in a folder, one below it for each, complete or not. A model is read only when all of its files
// are there and were verified; what is incomplete is gone on with by loading it again.

import * as v from "valibot";
import type { ModelFiles } from "../model/files.ts";
import { GgufFolder } from "../model/gguf.ts";
import { type Downloaded, type DownloadOptions, download, noRoomOf } from "./download.ts";
import { findRemoteModel, type HubOptions, hubIdOf, isAddress, type RemoteModel } from "./hub.ts";
import { type ModelFolder, memoryFolder } from "./model_folder.ts";

const RECORD = "model.json";
/** Most that is held in memory where nothing can be stored. */
const MEMORY_BYTES = 2e9;
const RATE_WINDOW_MS = 5000;

const RecordSchema = v.object({
  id: v.string(),
  /** All files are there and right. */
  complete: v.boolean(),
  files: v.array(
    v.object({ path: v.string(), bytes: v.number(), sha256: v.string(), verified: v.boolean(), checksum: v.nullable(v.string()) }),
  ),
});
type Record = v.InferOutput<typeof RecordSchema>;

export interface StoredModel {
  readonly id: string;
  readonly bytes: number;
  readonly complete: boolean;
}

/** Of a whole model. */
export interface DownloadProgress {
  /** The file that is on its way. */
  readonly file: string;
  readonly done: number;
  /** null: the server does not tell. */
  readonly total: number | null;
  /** Over the last seconds. */
  readonly bytesPerSecond: number;
  readonly secondsLeft: number | null;
}

export interface LoadOptions extends HubOptions, Pick<DownloadOptions, "retryPauseMs"> {
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Told in one sentence where the model can only be held in memory, and why. */
  readonly onNotice?: (sentence: string) => void;
}

export class ModelStore {
  readonly #folder: ModelFolder;
  /** Holds what the folder has no room for. */
  readonly #memory = memoryFolder("memory");

  /** @param folder where models are kept; null: nothing can be stored, models are held in memory */
  constructor(folder: ModelFolder | null) {
    this.#folder = folder ?? this.#memory;
  }

  /** Everything that is stored, incomplete downloads too. */
  async list(): Promise<StoredModel[]> {
    const files = [...(await this.#folder.list()), ...(this.#folder === this.#memory ? [] : await this.#memory.list())];
    const bytes = new Map<string, number>();
    for (const file of files) {
      const key = file.path.split("/")[0]!;
      bytes.set(key, (bytes.get(key) ?? 0) + file.bytes);
    }
    const models = [...bytes].map(async ([key, sum]) => {
      const id = decodeURIComponent(key);
      return { id, bytes: sum, complete: (await this.#find(id)) !== null };
    });
    return (await Promise.all(models)).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  async remove(id: string): Promise<void> {
    await this.#folder.remove(keyOf(id));
    await this.#memory.remove(keyOf(id));
  }

  /** A stored model's files, or null where it is not there in full. No network is needed. */
  async open(id: string): Promise<ModelFiles | null> {
    const folder = await this.#find(id);
    if (!folder) return null;
    const key = keyOf(id);
    const [file, ...others] = (await readRecord(folder, key))?.files ?? [];
    const source = file && others.length === 0 ? await folder.open(`${key}/${file.path}`) : null;
    if (source && /\.gguf$/i.test(source.name)) return GgufFolder.open(id, source);
    return { id, open: (path) => folder.open(`${key}/${path}`) };
  }

  async #find(id: string): Promise<ModelFolder | null> {
    for (const folder of [this.#folder, this.#memory]) {
      const record = await readRecord(folder, keyOf(id));
      if (!record?.complete) continue;
      const there = await Promise.all(record.files.map((file) => isThere(folder, keyOf(id), file)));
      if (there.every(Boolean)) return folder;
    }
    return null;
  }

  /**
   * A model's files, downloaded where they are not yet here.
   * @param name a hub id or an address
   * @throws InputError in one sentence; what was downloaded by then is kept for the next try, but for files with a wrong checksum
   */
  async load(name: string, options: LoadOptions = {}): Promise<ModelFiles> {
    const id = hubIdOf(name);
    return oneAtATime(keyOf(id), options.signal, async () => (await this.open(id)) ?? this.#download(id, options));
  }

  async #download(id: string, options: LoadOptions): Promise<ModelFiles> {
    const model = await findRemoteModel(id, options);
    if (model.files.every(({ checksum }) => checksum === null))
      options.onNotice?.(`${id}: there is no SHA256SUMS file beside it, so that its files are taken as they come.`);
    try {
      await fetchModel(this.#folder, model, options);
    } catch (error) {
      const full = noRoomOf(error, this.#folder.name);
      if (!full || this.#folder === this.#memory) throw error;
      await this.#folder.remove(keyOf(id)); // it would only take room
      const total = totalBytes(model);
      if (total === null || total > MEMORY_BYTES) throw full;
      options.onNotice?.(`${full.message} ${id} is held in memory until the page is closed.`);
      await fetchModel(this.#memory, model, options);
    }
    const files = await this.open(id);
    if (!files) throw new Error(`${id} was downloaded and is not there`);
    return files;
  }
}

/** Two tabs that want the same model: the second waits, and finds it stored. Node has no such locks. */
async function oneAtATime<T>(key: string, signal: AbortSignal | undefined, task: () => Promise<T>): Promise<T> {
  const locks = globalThis.navigator?.locks;
  return locks ? await locks.request(`errata model ${key}`, signal ? { signal } : {}, task) : task();
}

const keyOf = (id: string): string => encodeURIComponent(id).replaceAll("*", "%2A");

async function readRecord(folder: ModelFolder, key: string): Promise<Record | null> {
  const bytes = await folder.read(`${key}/${RECORD}`);
  if (!bytes) return null;
  try {
    return v.parse(RecordSchema, JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return null; // a record that cannot be read is none: the files are looked at again
  }
}

/** Storage may be cleared, or cut short, behind the record's back. */
async function isThere(folder: ModelFolder, key: string, { path, bytes }: Record["files"][number]): Promise<boolean> {
  return (await folder.open(`${key}/${path}`))?.size === bytes;
}

/** About; null where the server does not tell. */
function totalBytes({ files }: RemoteModel): number | null {
  return files.reduce<number | null>((total, { about }) => (total === null || about === null ? null : total + about), 0);
}

/** Downloads what is missing, file by file; the record says after each what is there. */
async function fetchModel(folder: ModelFolder, model: RemoteModel, options: LoadOptions): Promise<void> {
  const key = keyOf(model.id);
  const before = (await readRecord(folder, key))?.files ?? [];
  const files: Record["files"] = [];
  const save = (complete: boolean) =>
    folder.write(`${key}/${RECORD}`, new TextEncoder().encode(JSON.stringify({ id: model.id, complete, files } satisfies Record)));
  const meter = new Meter(totalBytes(model), options.onProgress);
  for (const file of model.files) {
    const path = `${key}/${file.path}`;
    const kept = before.find((f) => f.path === file.path && f.checksum === file.checksum);
    const token = isAddress(model.id) ? null : (options.token ?? null); // the token is the hub's, no other server's
    const onBytes = (done: number) => meter.tell(file.path, done);
    const there: Downloaded =
      kept && (await isThere(folder, key, kept)) ? kept : await download(folder, path, file, { ...options, token, onBytes });
    const { bytes, sha256, verified } = there;
    files.push({ path: file.path, bytes, sha256, verified, checksum: file.checksum });
    meter.finish(file.path, bytes);
    await save(files.length === model.files.length);
  }
}

/** Adds up a model's files, and measures the rate over the last seconds. */
class Meter {
  #finished = 0;
  #last = 0;
  #samples: { at: number; done: number }[] = [];
  readonly #total: number | null;
  readonly #tell: LoadOptions["onProgress"];

  constructor(total: number | null, tell: LoadOptions["onProgress"]) {
    this.#total = total;
    this.#tell = tell;
  }

  /** `done` bytes of the file are there. */
  tell(file: string, done: number): void {
    const at = performance.now();
    this.#last = this.#finished + done;
    this.#samples.push({ at, done: this.#last });
    while (this.#samples.length > 2 && this.#samples[0]!.at < at - RATE_WINDOW_MS) this.#samples.shift();
    const first = this.#samples[0]!;
    const bytesPerSecond = at > first.at ? (1000 * (this.#last - first.done)) / (at - first.at) : 0;
    const secondsLeft = this.#total !== null && bytesPerSecond > 0 ? (this.#total - this.#last) / bytesPerSecond : null;
    this.#tell?.({ file, done: this.#last, total: this.#total, bytesPerSecond, secondsLeft });
  }

  finish(file: string, bytes: number): void {
    this.tell(file, bytes);
    this.#finished += bytes;
  }
}
