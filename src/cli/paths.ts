// Where things are: the installation, and the folder from which the user called.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { InputError } from "../input_error.ts";

/** The folder of the installation: it holds public/ and package.json. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export const DEMO_MODEL = join(ROOT, "public", "models", "demo");
export const DEMO_PROBLEMS = join(ROOT, "public", "problems", "demo.jsonl");

/** A path as the user meant it. `npm run` changes into the installation and tells in INIT_CWD where it was called. */
export function callerPath(path: string): string {
  const called = process.cwd() === ROOT ? process.env.INIT_CWD : undefined;
  return resolve(called ?? process.cwd(), path);
}

/** A file's bytes; `what` names its purpose in the message where it cannot be read. */
export function readInput(path: string, what: string): Uint8Array {
  if (!existsSync(path)) throw new InputError(`${path}: there is no such file; give the ${what}.`);
  try {
    return readFileSync(path);
  } catch (error) {
    throw new InputError(`${path} cannot be read: ${error instanceof Error ? error.message : error}.`);
  }
}
