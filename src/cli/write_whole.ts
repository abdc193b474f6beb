// Files that are there in full or not at all.
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * Writes a whole file under another name, flushes it and renames it: a kill or a power cut leaves the old file or the new one. Folders on
 * its way are made.
 */
export function writeWhole(path: string, content: Uint8Array | string): void {
  const part = `${path}.part`;
  makeFolder(dirname(path));
  const file = openSync(part, "w");
  try {
    writeAll(file, typeof content === "string" ? new TextEncoder().encode(content) : content, 0);
    fsyncSync(file);
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
  renameSync(part, path);
  flushFolder(dirname(path));
}

/** Makes a folder, and those on its way, so that they outlive a power cut. */
export function makeFolder(path: string): void {
  const first = mkdirSync(path, { recursive: true });
  if (first === undefined) return;
  for (let made = resolve(path); made !== dirname(resolve(first)); made = dirname(made)) flushFolder(dirname(made));
}

/** Flushes the names in a folder: a file's own flush does not. Windows has no such thing, and needs none. */
export function flushFolder(path: string): void {
  if (process.platform === "win32") return;
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Writes all bytes at a position: a disk that is nearly full may take a part of them, or none, without a word. */
export function writeAll(file: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    const taken = writeSync(file, bytes, done, bytes.length - done, position + done);
    if (taken === 0) throw Object.assign(new Error("the disk takes no more"), { code: "ENOSPC" });
    done += taken;
  }
}
