// Files that were picked or dropped on the page, opened as what they are.
import { messageOf } from "../input_error.ts";
import { adapterFilesOf } from "./adapter_files.ts";
import { sortDropped } from "./dropped_files.ts";
import { readArchive } from "./recorded/run_archive.ts";
import { unzip } from "./recorded/unzip.ts";
import type { Session } from "./session.ts";

async function bytesOf(file: File): Promise<Uint8Array> {
  return new Uint8Array(await file.arrayBuffer());
}

/** Opens a zip as Errata makes it: plays a run, keeps an adapter beside the model; says in place why where that fails. */
export async function openZip(session: Session, file: File): Promise<void> {
  try {
    const files = await unzip(file.name, await bytesOf(file));
    const isRun = [...files.keys()].some((path) => path === "run.json" || path.endsWith("/run.json"));
    const adapter = isRun ? null : adapterFilesOf([...files].map(([path, bytes]) => ({ path, bytes })));
    if (adapter) await session.workbench.addAdapter(file.name.replace(/\.zip$/i, ""), adapter);
    else if (session.busy.value) session.notice.value = "A run is under way here: stop it before opening another.";
    else {
      session.configure({ view: "run" });
      session.play(await readArchive(file.name, files));
    }
  } catch (error) {
    session.notice.value = messageOf(error);
  }
}

/** Opens what was picked or dropped, whatever it is; says in place what it cannot be. */
export async function openFiles(session: Session, files: readonly File[]): Promise<void> {
  const dropped = sortDropped(files);
  switch (dropped.kind) {
    case "zip":
      return openZip(session, dropped.file);
    case "problems":
      return session.workbench.takeProblems(dropped.file);
    case "model":
      session.configure({ view: "machine" });
      return session.workbench.load({ kind: "files", name: dropped.name, files: dropped.files });
    case "adapter": {
      const read = dropped.files.map(async (file) => ({ path: file.name, bytes: await bytesOf(file) }));
      return session.workbench.addAdapter(dropped.name, await Promise.all(read));
    }
    case "unknown": {
      const names = dropped.names.slice(0, 3).join(", ");
      session.notice.value = `${names}: expected a run's zip, a problem file (.json, .jsonl, .md, .gz), the folder of a model, or an adapter's folder or zip.`;
    }
  }
}
