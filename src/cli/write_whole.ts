// Files that are there in full or not at all.
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** Writes a whole file under another name and renames it: a kill leaves the old file or the new one. Folders on its way are made. */
export function writeWhole(path: string, content: Uint8Array | string): void {
  const part = `${path}.part`;
  mkdirSync(dirname(path), { recursive: true });
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
}

/** Writes all bytes at a position: a disk that is nearly full may take a part of them without a word. */
export function writeAll(file: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, position + done);
}
