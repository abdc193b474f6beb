// What the reference gives to pairs, in a file that outlives the training: a journal of its own.
import * as v from "valibot";
import { type ReferenceStore, readLogps, writeLogps } from "../train/references.ts";
import type { Folder } from "./folder.ts";
import { Journal, readJournal } from "./journal.ts";

const VERSION = 1;

const base64 = v.pipe(v.string(), v.base64());
const EntrySchema = v.object({ key: v.string(), chosen: base64, rejected: base64 });

/**
 * Opens the file, or begins it. What is damaged in it, or stands under keys that nobody asks for, is computed again or left alone.
 * @throws InputError where it is of another version of Errata
 */
export async function openReferences(folder: Folder, file: string): Promise<ReferenceStore & { close(): Promise<void> }> {
  const bytes = await folder.read(file);
  const contents = bytes && readJournal(`${folder.name}/${file}`, bytes, VERSION);
  const entries = (contents?.entries ?? []).filter((entry) => v.is(EntrySchema, entry));
  const known = new Map(entries.map((entry) => [entry.key, readLogps(entry)]));
  const journal = contents ? await Journal.goOn(folder, file, contents) : await Journal.begin(folder, file, VERSION);
  return {
    get: (key) => known.get(key),
    keep: async (key, logps) => {
      known.set(key, logps);
      await journal.append({ key, ...writeLogps(logps) });
    },
    close: () => journal.close(),
  };
}
