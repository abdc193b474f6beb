// A journal: what must not be lost, line by line as it becomes known. A line is "hash json"; each hash covers the line and the hash
// before it, so that a torn, changed, missing or doubled line ends what is read, and everything before it stands.
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { InputError } from "../input_error.ts";
import type { Folder, Log } from "./folder.ts";

const MAGIC = "errata-journal";
const HASH_CHARACTERS = 16;
const NEWLINE = 10;

export interface JournalContents {
  /** The entries up to the first damaged line. */
  readonly entries: unknown[];
  /** Bytes of the readable part, and the hash of its last line: where appending goes on. */
  readonly bytes: number;
  readonly hash: string;
  /** Bytes behind it that cannot be read: torn by a kill, or damaged. */
  readonly damagedBytes: number;
}

/**
 * Reads a journal as far as it is whole.
 * @param version the format's version that the caller reads
 * @returns null where not even the first line is whole
 * @throws InputError where the journal is of another version
 */
export function readJournal(name: string, bytes: Uint8Array, version: number): JournalContents | null {
  const firstEnd = bytes.indexOf(NEWLINE);
  const first = firstEnd < 0 ? null : /^errata-journal (\d+)$/.exec(latin1(bytes.subarray(0, firstEnd)));
  if (!first) return null;
  if (Number(first[1]) !== version) {
    throw new InputError(
      `${name} was written by another version of Errata (format ${first[1]}, this one reads ${version}): finish the run with that version, or delete it.`,
    );
  }
  const entries: unknown[] = [];
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let hash = hashOf("", String(version));
  let at = firstEnd + 1;
  for (let end = bytes.indexOf(NEWLINE, at); end >= 0; end = bytes.indexOf(NEWLINE, at)) {
    const entry = readLine(bytes.subarray(at, end), hash, decoder);
    if (!entry) break;
    entries.push(entry.value);
    hash = entry.hash;
    at = end + 1;
  }
  return { entries, bytes: at, hash, damagedBytes: bytes.length - at };
}

function readLine(line: Uint8Array, before: string, decoder: TextDecoder): { value: unknown; hash: string } | null {
  try {
    const text = decoder.decode(line);
    const json = text.slice(HASH_CHARACTERS + 1);
    const hash = hashOf(before, json);
    return text.slice(0, HASH_CHARACTERS + 1) === `${hash} ` ? { value: JSON.parse(json, readNumber), hash } : null;
  } catch {
    return null; // not UTF-8, or not JSON: damaged like any other
  }
}

/** JSON has no NaN and no infinity: they are kept as {"number": "NaN"}. */
function writeNumber(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? { number: String(value) } : value;
}

function readNumber(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("number" in value) || Object.keys(value).length !== 1) return value;
  return Number(value.number);
}

function latin1(bytes: Uint8Array): string {
  return bytes.length > 64 ? "" : String.fromCharCode(...bytes);
}

function hashOf(before: string, json: string): string {
  return bytesToHex(sha256(new TextEncoder().encode(`${before} ${json}`))).slice(0, HASH_CHARACTERS);
}

/** Appends to a journal file. */
export class Journal {
  readonly #log: Log;
  #hash: string;

  private constructor(log: Log, hash: string) {
    this.#log = log;
    this.#hash = hash;
  }

  /** A new journal; a file of that name is replaced. */
  static async begin(folder: Folder, file: string, version: number): Promise<Journal> {
    const log = await folder.openLog(file, 0);
    await log.append(new TextEncoder().encode(`${MAGIC} ${version}\n`));
    return new Journal(log, hashOf("", String(version)));
  }

  /** Goes on behind the readable part of a journal; what is damaged behind it goes. */
  static async goOn(folder: Folder, file: string, { bytes, hash }: JournalContents): Promise<Journal> {
    return new Journal(await folder.openLog(file, bytes), hash);
  }

  async append(entry: unknown): Promise<void> {
    const json = JSON.stringify(entry, writeNumber);
    this.#hash = hashOf(this.#hash, json);
    await this.#log.append(new TextEncoder().encode(`${this.#hash} ${json}\n`));
  }

  flush(): Promise<void> {
    return this.#log.flush();
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}
