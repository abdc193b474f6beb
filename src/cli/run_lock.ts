// One process at a time works in a run's folder.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../input_error.ts";
import { intoSentence } from "./out_folder.ts";

/**
 * Takes the folder for this process; what a killed one left behind does not count. Gives what releases it.
 * @throws InputError where another process is at work in it
 */
export function lockFolder(folder: string): () => void {
  const lock = join(folder, "lock");
  intoSentence(folder, () => mkdirSync(folder, { recursive: true }));
  const owner = ownerOf(lock);
  if (owner !== null && owner !== process.pid && isAlive(owner)) {
    throw new InputError(`Process ${owner} is at work on the run in ${folder}: wait for it, end it, or name another folder.`);
  }
  intoSentence(folder, () => writeFileSync(lock, `${process.pid}\n`));
  return () => rmSync(lock, { force: true });
}

function ownerOf(lock: string): number | null {
  try {
    return Number(readFileSync(lock, "utf8")) || null;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
