// A folder on disk, as storage needs it. Calls are synchronous inside: what is written is in the order in which it was asked for.
import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import type { Folder, Log, StoredFile } from "../storage/folder.ts";
import { intoSentence } from "./out_folder.ts";
import { flushFolder, makeFolder, writeAll, writeWhole } from "./write_whole.ts";

/** The folder at `path`, which need not be there yet. */
export function diskFolder(path: string): Folder {
  const at = (file: string) => join(path, file);
  return {
    name: path,
    list: async () => (existsSync(path) ? filesBelow(path) : []),
    read: async (file) => (existsSync(at(file)) ? new Uint8Array(readFileSync(at(file))) : null),
    write: async (file, bytes) => intoSentence(path, () => writeWhole(at(file), bytes)),
    openLog: async (file, keep) => intoSentence(path, () => openLog(path, at(file), keep)),
    remove: async (file) => intoSentence(path, () => rmSync(at(file), { recursive: true, force: true })),
  };
}

function filesBelow(path: string): StoredFile[] {
  const names = readdirSync(path, { recursive: true, encoding: "utf8" });
  const all = names.map((name) => ({ path: name.split(sep).join("/"), stats: statSync(join(path, name)) }));
  return all.filter(({ stats }) => stats.isFile()).map(({ path: file, stats }) => ({ path: file, bytes: stats.size }));
}

function openLog(folder: string, path: string, keep: number): Log {
  makeFolder(dirname(path));
  const file = openSync(path, existsSync(path) ? "r+" : "w");
  flushFolder(dirname(path));
  ftruncateSync(file, keep);
  let end = keep;
  return {
    append: async (bytes) =>
      intoSentence(folder, () => {
        writeAll(file, bytes, end);
        end += bytes.length;
      }),
    flush: async () => intoSentence(folder, () => fsyncSync(file)),
    close: async () => closeSync(file),
  };
}
