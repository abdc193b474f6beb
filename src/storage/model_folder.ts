// Where models are kept: a folder whose files can also be read in slices; here one in memory, for browsers that store nothing.

import type { ByteSource } from "../model/safetensors.ts";
import type { Folder, Log } from "./folder.ts";

export interface ModelFolder extends Folder {
  /** A file to be read in slices, or null where there is none. */
  open(path: string): Promise<ByteSource | null>;
}

/** A file that grows at its end, in the pieces that were appended. */
interface Grown {
  pieces: { readonly begin: number; readonly bytes: Uint8Array }[];
  size: number;
}

/** A folder that lives as long as the page or the process. */
export function memoryFolder(name: string): ModelFolder {
  const files = new Map<string, Grown>();
  const append = (file: Grown, bytes: Uint8Array) => {
    file.pieces.push({ begin: file.size, bytes: bytes.slice() });
    file.size += bytes.length;
  };
  return {
    name,
    list: async () => [...files].map(([path, { size }]) => ({ path, bytes: size })),
    read: async (path) => {
      const file = files.get(path);
      return file ? sliceOf(file, 0, file.size) : null;
    },
    open: async (path) => {
      const file = files.get(path);
      return file ? { name: path, size: file.size, slice: async (begin, end) => sliceOf(file, begin, end) } : null;
    },
    write: async (path, bytes) => {
      const file: Grown = { pieces: [], size: 0 };
      append(file, bytes);
      files.set(path, file);
    },
    openLog: async (path, keep): Promise<Log> => {
      const kept = files.get(path);
      const file: Grown = { pieces: [], size: 0 };
      if (kept && keep > 0) append(file, sliceOf(kept, 0, keep));
      files.set(path, file);
      return { append: async (bytes) => append(file, bytes), flush: async () => {}, close: async () => {} };
    },
    remove: async (path) => {
      for (const key of [...files.keys()]) if (key === path || key.startsWith(`${path}/`)) files.delete(key);
    },
  };
}

function sliceOf({ pieces }: Grown, begin: number, end: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(end - begin);
  for (const { begin: at, bytes } of pieces) {
    const from = Math.max(begin, at);
    const to = Math.min(end, at + bytes.length);
    if (from < to) out.set(bytes.subarray(from - at, to - at), from - begin);
  }
  return out;
}
