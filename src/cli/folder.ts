// A model folder on disk, read in slices.

import { open, stat } from "node:fs/promises";
import { basename, resolve, sep } from "node:path";
import { InputError } from "../input_error.ts";
import type { ModelFiles } from "../model/files.ts";
import type { ByteSource } from "../model/safetensors.ts";

/**
 * The files of a local folder.
 * @param folder an absolute path; the model's id is its last part
 * @throws InputError where there is no such folder
 */
export async function folderFiles(folder: string): Promise<ModelFiles> {
  const root = resolve(folder);
  const found = await statOrNull(root);
  if (!found) throw new InputError(`${folder}: no such folder; give the folder that holds the model's config.json.`);
  if (!found.isDirectory()) throw new InputError(`${folder} is a file; give the folder that holds the model's config.json.`);
  return { id: basename(root), open: (path) => openFile(root, path) };
}

async function openFile(root: string, path: string): Promise<ByteSource | null> {
  const file = resolve(root, path);
  if (!file.startsWith(root + sep)) throw new InputError(`${path}: lies outside of ${root}.`);
  return openPath(file);
}

/** A file on disk, or null where there is none. */
export async function openPath(file: string): Promise<ByteSource | null> {
  const found = await statOrNull(file);
  if (!found?.isFile()) return null;
  return { name: file, size: found.size, slice: (begin, end) => readSlice(file, begin, end) };
}

async function statOrNull(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")) return null;
    throw new InputError(`${path} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
}

async function readSlice(path: string, begin: number, end: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(end - begin);
  const file = await open(path, "r");
  try {
    let done = 0;
    while (done < bytes.length) {
      const { bytesRead } = await file.read(bytes, done, bytes.length - done, begin + done);
      if (bytesRead === 0)
        throw new InputError(`${path}: expected bytes ${begin} to ${end}, found ${done} of them: the file is truncated.`);
      done += bytesRead;
    }
  } finally {
    await file.close();
  }
  return bytes;
}
