// A folder in the browser's private file system (OPFS). Only a dedicated worker may write there without a copy of the whole file.

import { InputError } from "../input_error.ts";
import type { Log, StoredFile } from "./folder.ts";
import type { ModelFolder } from "./model_folder.ts";

declare global {
  interface FileSystemFileHandle {
    /** Of workers alone, so that TypeScript's library of the page does not know it. */
    createSyncAccessHandle(): Promise<{
      write(bytes: Uint8Array, options: { at: number }): number;
      truncate(size: number): void;
      flush(): void;
      close(): void;
    }>;
  }
}

/** The folder `name` at the root of the page's private file system; made when something is written. */
export async function opfsFolder(name: string): Promise<ModelFolder> {
  const root = await navigator.storage.getDirectory();
  const folder = await root.getDirectoryHandle(name, { create: true });
  return {
    name: "This browser's storage",
    list: () => filesBelow(folder, ""),
    read: async (path) => {
      const file = await findFile(folder, path);
      return file ? new Uint8Array(await (await file.getFile()).arrayBuffer()) : null;
    },
    open: async (path) => {
      const file = await (await findFile(folder, path))?.getFile();
      if (!file) return null;
      return { name: path, size: file.size, slice: async (begin, end) => new Uint8Array(await file.slice(begin, end).arrayBuffer()) };
    },
    write: (path, bytes) => writeWhole(folder, path, bytes),
    openLog: (path, keep) => openLog(folder, path, keep),
    remove: (path) => remove(folder, path),
  };
}

async function filesBelow(folder: FileSystemDirectoryHandle, prefix: string): Promise<StoredFile[]> {
  const files: StoredFile[] = [];
  for await (const [name, handle] of folder.entries()) {
    if (handle instanceof FileSystemDirectoryHandle) files.push(...(await filesBelow(handle, `${prefix}${name}/`)));
    else if (handle instanceof FileSystemFileHandle) files.push({ path: prefix + name, bytes: (await handle.getFile()).size });
  }
  return files;
}

const isMissing = (error: unknown): boolean =>
  error instanceof DOMException && (error.name === "NotFoundError" || error.name === "TypeMismatchError");

async function findFile(folder: FileSystemDirectoryHandle, path: string): Promise<FileSystemFileHandle | null> {
  const { parents, name } = partsOf(path);
  try {
    let at = folder;
    for (const parent of parents) at = await at.getDirectoryHandle(parent);
    return await at.getFileHandle(name);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

async function makeFile(folder: FileSystemDirectoryHandle, path: string): Promise<FileSystemFileHandle> {
  const { parents, name } = partsOf(path);
  let at = folder;
  for (const parent of parents) at = await at.getDirectoryHandle(parent, { create: true });
  return at.getFileHandle(name, { create: true });
}

function partsOf(path: string): { parents: string[]; name: string } {
  const parents = path.split("/");
  return { name: parents.pop() ?? "", parents };
}

/** The browser writes to a copy and swaps it for the file when it is closed: a kill leaves the old file or the new one. */
async function writeWhole(folder: FileSystemDirectoryHandle, path: string, bytes: Uint8Array): Promise<void> {
  const writable = await (await makeFile(folder, path)).createWritable();
  await writable.write(bytes.slice());
  await writable.close();
}

async function openLog(folder: FileSystemDirectoryHandle, path: string, keep: number): Promise<Log> {
  const file = await (await makeFile(folder, path)).createSyncAccessHandle().catch((error: unknown) => {
    if (!(error instanceof DOMException) || error.name !== "NoModificationAllowedError") throw error;
    throw new InputError(`${path} is being written by another tab: wait for it, or close it.`);
  });
  file.truncate(keep);
  let end = keep;
  return {
    append: async (bytes) => {
      for (let done = 0; done < bytes.length; ) {
        const taken = file.write(bytes.subarray(done), { at: end + done });
        if (taken === 0) throw new DOMException(`${path}: no byte more is taken.`, "QuotaExceededError"); // some browsers say it so
        done += taken;
      }
      end += bytes.length;
    },
    flush: async () => file.flush(),
    close: async () => {
      file.flush();
      file.close();
    },
  };
}

async function remove(folder: FileSystemDirectoryHandle, path: string): Promise<void> {
  const { parents, name } = partsOf(path);
  try {
    let at = folder;
    for (const parent of parents) at = await at.getDirectoryHandle(parent);
    await at.removeEntry(name, { recursive: true });
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
