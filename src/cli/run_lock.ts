// One process at a time works in a run's folder.
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../input_error.ts";
import { intoSentence } from "./out_folder.ts";

/** Who holds a lock: its process, and what tells it from a later one of the same number, where the system does. */
interface Owner {
  readonly pid: number;
  readonly birth: string | null;
}

/**
 * Takes the folder for this process; what a killed one left behind does not count. Gives what releases it.
 * @throws InputError where another process is at work in it
 */
export function lockFolder(folder: string): () => void {
  const lock = join(folder, "lock");
  intoSentence(folder, () => mkdirSync(folder, { recursive: true }));
  if (!create(lock)) takeOver(folder, lock);
  return () => rmSync(lock, { force: true });
}

/** Replaces the lock of a process that is gone. Only one at a time may: else the second would remove the first one's new lock. */
function takeOver(folder: string, lock: string): void {
  const taking = `${lock}.taking`;
  if (!create(taking)) throw new InputError(justTaken(folder, taking));
  try {
    const owner = ownerOf(lock);
    if (!owner && isNew(lock)) throw new InputError(justTaken(folder, lock)); // made, and its owner not yet written into it
    if (owner && isAtWork(owner)) {
      throw new InputError(
        `Process ${owner.pid} is at work on the run in ${folder}: wait for it, end it, or name another folder; if it is no errata, delete ${lock}.`,
      );
    }
    rmSync(lock, { force: true });
    if (!create(lock)) throw new InputError(justTaken(folder, lock));
  } finally {
    rmSync(taking, { force: true });
  }
}

const justTaken = (folder: string, lock: string) =>
  `Another process is just taking ${folder}: wait for it, or name another folder; if there is none, delete ${lock}.`;

function isNew(path: string): boolean {
  const made = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  return made !== undefined && Date.now() - made < 5000;
}

/** Makes the file in this process's name; false where it is there already. */
function create(path: string): boolean {
  try {
    writeFileSync(path, `${process.pid} ${birthOf(process.pid) ?? ""}\n`, { flag: "wx" });
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    return intoSentence(path, () => {
      throw error;
    });
  }
}

function ownerOf(lock: string): Owner | null {
  const [, pid, birth] = /^(\d+) ?(.*)\n$/.exec(textOf(lock) ?? "") ?? [];
  return pid === undefined ? null : { pid: Number(pid), birth: birth || null };
}

function isAtWork({ pid, birth }: Owner): boolean {
  const now = birthOf(pid);
  if (birth !== null && now !== null && birth !== now) return false; // another process with its number
  return pid !== process.pid && isAlive(pid);
}

/** When a process began, in ticks of a named boot: Linux alone tells. */
function birthOf(pid: number): string | null {
  const stat = textOf(`/proc/${pid}/stat`);
  const boot = textOf("/proc/sys/kernel/random/boot_id");
  const ticks = stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19]; // the 22nd field; the second, in brackets, may hold anything
  return boot && ticks ? `${boot.trim()} ${ticks}` : null;
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH")) return null;
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
