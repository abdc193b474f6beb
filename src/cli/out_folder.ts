// The folder of --out: made and tried before work starts, so that nobody waits an hour for a disk that is full.
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../input_error.ts";
import { writeWhole } from "./write_whole.ts";

/** Room that must be there before work starts. */
const PROBE_BYTES = 4 * 1024 * 1024;

export class OutFolder {
  readonly path: string;
  #begun = new Set<string>();

  /** Makes the folder and writes, then removes, a probe file. Throws an InputError where that fails. */
  constructor(path: string) {
    this.path = path;
    const probe = join(path, ".errata-probe");
    intoSentence(path, () => {
      mkdirSync(path, { recursive: true });
      try {
        writeFileSync(probe, new Uint8Array(PROBE_BYTES));
      } finally {
        rmSync(probe, { force: true });
      }
    });
  }

  /** Appends to a file of the folder; what an earlier run left in it goes with the first call. */
  append(file: string, content: string | Uint8Array): void {
    intoSentence(this.path, () => {
      if (this.#begun.has(file)) appendFileSync(join(this.path, file), content);
      else this.write(file, content);
    });
    this.#begun.add(file);
  }

  /** Writes a file's beginning, in place of what was there; append() goes on with it. */
  begin(file: string, content: string): void {
    this.write(file, content);
    this.#begun.add(file);
  }

  /** Writes a whole file; folders on its way are made. */
  write(file: string, content: string | Uint8Array): void {
    intoSentence(this.path, () => writeWhole(join(this.path, file), content));
  }

  /** Removes files of an earlier run. */
  remove(...files: readonly string[]): void {
    intoSentence(this.path, () => {
      for (const file of files) rmSync(join(this.path, file), { recursive: true, force: true });
    });
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EACCES: "you may not write there",
  EPERM: "you may not write there",
  EROFS: "it is read-only",
  ENOTDIR: "a part of the path is a file",
  EEXIST: "it is a file",
  EISDIR: "a folder is where a file should go",
};

/** Runs `work`; a file system's refusal becomes one sentence. */
export function intoSentence<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error;
    const reason = REASONS[String(error.code)] ?? error.message;
    throw new InputError(`${path} cannot be written: ${reason}; name another place or make room.`);
  }
}
