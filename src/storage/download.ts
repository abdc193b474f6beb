// One file from an address into a folder: streamed, resumed where an earlier try ended, and verified while it streams.

import { sha1 } from "@noble/hashes/legacy.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { InputError, messageOf } from "../input_error.ts";
import { hubHeaders, type RemoteFile, refusal } from "./hub.ts";
import type { ModelFolder } from "./model_folder.ts";

export interface DownloadOptions {
  readonly token?: string | null;
  readonly signal?: AbortSignal;
  /** Before a broken connection is taken up again; longer each time. */
  readonly retryPauseMs?: number;
  /** Told of every piece: bytes of this file that are there, and its size where it is known. */
  readonly onBytes?: (done: number, total: number | null) => void;
}

/** A file that is there in full. */
export interface Downloaded {
  readonly bytes: number;
  readonly sha256: string;
  /** Whether there was a checksum to hold it against. */
  readonly verified: boolean;
}

/** Failures in a row, without a byte in between, after which it is given up. */
const TRIES = 4;
const PAUSE_MS = 1000;
const SLICE_BYTES = 1 << 24;
/** Written between two flushes: what a kill may cost. */
const FLUSH_BYTES = 1 << 25;

/** The folder takes no more: the disk or the browser's share of it is full, or it cannot be written at all. */
export class NoRoom extends InputError {}

/**
 * Downloads a file to `path` in the folder. A connection that breaks is taken up again; what an earlier try left there is gone on with
 * where a checksum, or the file's version as the server names it, will tell that it belongs to the same file.
 * @throws InputError in one sentence: no connection (what is there is kept), a refusal, a wrong size or checksum (the file is
 *   removed), NoRoom where the folder takes no more
 */
export async function download(folder: ModelFolder, path: string, file: RemoteFile, options: DownloadOptions = {}): Promise<Downloaded> {
  const partial = new Partial(folder, path, file);
  await partial.take();
  let furthest = partial.size; // a server may make it start over again and again
  for (let failures = 0; ; ) {
    try {
      await stream(partial, file, options);
      break;
    } catch (error) {
      options.signal?.throwIfAborted();
      if (error instanceof InputError) throw error;
      failures = partial.size > furthest ? 1 : failures + 1;
      furthest = Math.max(furthest, partial.size);
      if (failures < TRIES) await pause((options.retryPauseMs ?? PAUSE_MS) * failures, options.signal);
      else throw new InputError(`${file.path}: the connection broke (${messageOf(error)}); what is there is kept: load it again to go on.`);
    } finally {
      await partial.close();
    }
  }
  return partial.verify();
}

const pause = (ms: number, signal: AbortSignal | undefined) =>
  new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });

/** The file as far as it is there, with its digests so far. */
class Partial {
  size = 0;
  total: number | null;
  /** As the server names it where there is no checksum; null: not asked yet, or not named. */
  version: string | null = null;
  readonly #folder: ModelFolder;
  readonly #path: string;
  readonly #file: RemoteFile;
  #sha256 = sha256.create();
  #git = sha1.create();
  #log: Awaited<ReturnType<ModelFolder["openLog"]>> | null = null;
  #unflushed = 0;

  constructor(folder: ModelFolder, path: string, file: RemoteFile) {
    this.#folder = folder;
    this.#path = path;
    this.#file = file;
    this.total = file.bytes;
    this.#restart();
  }

  #restart(): void {
    this.size = 0;
    this.#sha256 = sha256.create();
    this.#git = sha1.create();
    if (this.#file.bytes !== null) this.#git.update(utf8ToBytes(`blob ${this.#file.bytes}\0`));
  }

  /** Digests what an earlier try left. Without a checksum it may be of another version, which must then be told apart. */
  async take(): Promise<void> {
    if (this.#file.checksum === null) {
      const version = await this.#folder.read(this.#versionPath);
      if (version === null) return;
      this.version = new TextDecoder().decode(version);
    }
    const source = await this.#folder.open(this.#path);
    if (!source || (this.total !== null && source.size > this.total)) return;
    for (let begin = 0; begin < source.size; begin += SLICE_BYTES) {
      this.#digest(await source.slice(begin, Math.min(begin + SLICE_BYTES, source.size)));
    }
  }

  get #versionPath(): string {
    return `${this.#path}.version`;
  }

  /** Keeps the version for the next try. */
  async keepVersion(version: string | null): Promise<void> {
    this.version = version;
    if (version === null) await this.#folder.remove(this.#versionPath);
    else await this.#folder.write(this.#versionPath, utf8ToBytes(version));
  }

  /** Begins anew: the server sends the file from its first byte. */
  async startOver(): Promise<void> {
    await this.close();
    this.#restart();
  }

  async append(bytes: Uint8Array): Promise<void> {
    try {
      this.#log ??= await this.#folder.openLog(this.#path, this.size);
      await this.#log.append(bytes);
      this.#unflushed += bytes.length;
      if (this.#unflushed >= FLUSH_BYTES) {
        await this.#log.flush();
        this.#unflushed = 0;
      }
    } catch (error) {
      throw noRoomOf(error, this.#folder.name) ?? new NoRoom(`${this.#folder.name} cannot be written (${messageOf(error)}).`);
    }
    this.#digest(bytes);
  }

  #digest(bytes: Uint8Array): void {
    this.#sha256.update(bytes);
    if (this.#file.checksum?.startsWith("git:")) this.#git.update(bytes);
    this.size += bytes.length;
  }

  async close(): Promise<void> {
    await this.#log?.flush();
    await this.#log?.close();
    this.#log = null;
  }

  /** Holds the whole file against its checksum; a wrong one is removed. */
  async verify(): Promise<Downloaded> {
    const { path, checksum } = this.#file;
    const digest = bytesToHex(this.#sha256.digest());
    await this.#folder.remove(this.#versionPath);
    if (this.size === 0) await this.#folder.write(this.#path, new Uint8Array(0)); // a file of no bytes had nothing to append
    const [kind, expected] = checksum?.split(":") ?? [];
    const found = kind === "git" ? bytesToHex(this.#git.digest()) : digest;
    if (expected === undefined || found === expected.toLowerCase())
      return { bytes: this.size, sha256: digest, verified: expected !== undefined };
    await this.#folder.remove(this.#path);
    throw new InputError(`${path}: expected checksum ${expected}, found ${found}: the download is damaged and was removed; load it again.`);
  }
}

/** What a full disk says by the browser's name for it, or Node's; null for other errors. */
export function noRoomOf(error: unknown, folder: string): NoRoom | null {
  if (error instanceof NoRoom) return error;
  const isQuota = error instanceof DOMException && error.name === "QuotaExceededError";
  const isDisk = error instanceof Error && /ENOSPC|EDQUOT|disk is full|quota/i.test(error.message);
  return isQuota || isDisk ? new NoRoom(`${folder} takes no more: the disk, or the browser's share of it, is full.`) : null;
}

/** Appends what is missing. Returns when the file is there in full; throws when the connection ends before. */
async function stream(partial: Partial, file: RemoteFile, { token, signal, onBytes }: DownloadOptions): Promise<void> {
  if (partial.total !== null && partial.size === partial.total) return;
  const response = await fetch(file.url, {
    headers: { ...hubHeaders(token ?? null), ...(partial.size > 0 && { Range: `bytes=${partial.size}-` }) },
    cache: "no-store", // it is kept here: the browser's cache would hold it a second time, and give parts of what it was
    ...(signal && { signal }),
  });
  if (response.status === 416 && partial.size > 0) return await endOrStartOver(partial, response);
  if (!response.ok || !response.body) throw refusalOrBreak(file, response.status, token);
  const begin = response.status === 206 ? (firstByte(response) ?? partial.size) : 0;
  const isOther = begin > 0 && file.checksum === null && versionOf(response) !== partial.version;
  if (begin !== partial.size || isOther) {
    await partial.startOver();
    if (begin > 0) throw new Error(isOther ? "the file has changed" : "the server sent another range");
  }
  if (begin === 0 && file.checksum === null) await partial.keepVersion(versionOf(response));
  partial.total ??= totalOf(response, begin);
  onBytes?.(partial.size, partial.total);
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      await partial.append(value);
      onBytes?.(partial.size, partial.total);
    }
  } finally {
    await reader.cancel().catch(() => undefined); // a broken connection cannot be cancelled
  }
  if (partial.total !== null && partial.size < partial.total) throw new Error(`it ended at byte ${partial.size} of ${partial.total}`);
  if (partial.total !== null && partial.size > partial.total) {
    await partial.startOver();
    throw new InputError(`${file.path}: expected ${partial.total} bytes, found more: the file has changed; load it again.`);
  }
}

/** The server has nothing behind what is there: it is all, or it is too much. */
async function endOrStartOver(partial: Partial, response: Response): Promise<void> {
  const total = Number(/\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.[1]);
  if (total === partial.size) return;
  await partial.startOver();
  throw new Error("what was there does not fit the file");
}

function refusalOrBreak(file: RemoteFile, status: number, token: string | null | undefined): Error {
  return status >= 500 || status === 429 ? new Error(`the server answered ${status}`) : refusal(file.path, file.url, status, token);
}

/** Null where a server of another origin does not let the page read it: it then begins where it was asked to. */
function firstByte(response: Response): number | null {
  const range = /bytes (\d+)-/.exec(response.headers.get("content-range") ?? "");
  return range ? Number(range[1]) : null;
}

/** What changes with the file's content, as far as the page may read it. */
function versionOf({ headers }: Response): string | null {
  const names = [headers.get("etag"), headers.get("last-modified")].filter((name) => name !== null);
  return names.length === 0 ? null : names.join(" ");
}

/** The whole file's size where the answer tells it for certain: a compressed one's length is another, and a page may not know that it is. */
function totalOf({ headers, status, type }: Response, begin: number): number | null {
  const ranged = /\/(\d+)$/.exec(headers.get("content-range") ?? "");
  if (ranged) return Number(ranged[1]);
  const length = headers.get("content-length");
  const mayBeCompressed = headers.get("content-encoding") !== null || (type === "cors" && status !== 206);
  return length === null || mayBeCompressed ? null : begin + Number(length);
}
