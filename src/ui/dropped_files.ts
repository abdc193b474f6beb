// What was picked or dropped: a zip, a model, an adapter, or problems. Told by the names of the files alone; nothing is read here.

export type Dropped =
  | { kind: "zip"; file: File } // of a run or an adapter
  | { kind: "problems"; file: File }
  | { kind: "model"; name: string; files: File[] }
  | { kind: "adapter"; name: string; files: File[] }
  | { kind: "unknown"; names: string[] };

function baseName(file: File): string {
  return file.name.toLowerCase();
}

/** What a set of files is. A folder's files carry their folder in `webkitRelativePath`. */
export function sortDropped(files: readonly File[]): Dropped {
  const names = new Set(files.map(baseName));
  const name = files[0]?.webkitRelativePath.split("/")[0] || (files[0]?.name ?? "");
  if (names.has("adapter_config.json") && !names.has("tokenizer.json")) return { kind: "adapter", name, files: [...files] };
  if (names.has("config.json") || [...names].some((entry) => entry.endsWith(".gguf"))) return { kind: "model", name, files: [...files] };
  if (files.length === 1) {
    const [file] = files;
    if (baseName(file).endsWith(".zip")) return { kind: "zip", file };
    if (/\.(json|jsonl|md|markdown)(\.gz)?$/.test(baseName(file))) return { kind: "problems", file };
  }
  return { kind: "unknown", names: files.map((file) => file.name) };
}

/** All files of a drop, folders opened; a file of a folder is named with its path, as a picked folder's are. */
export async function filesOfDrop(transfer: DataTransfer): Promise<File[]> {
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  if (entries.length === 0) return [...transfer.files];
  const lists = await Promise.all(entries.map((entry) => filesOfEntry(entry)));
  return lists.flat();
}

async function filesOfEntry(entry: FileSystemEntry): Promise<File[]> {
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    const path = entry.fullPath.replace(/^\//, "");
    if (path.includes("/")) Object.defineProperty(file, "webkitRelativePath", { value: path }); // as input elements set it
    return [file];
  }
  if (!isFolder(entry)) return [];
  const reader = entry.createReader();
  const files: File[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return files; // a reader gives its entries in parts
    for (const child of some) files.push(...(await filesOfEntry(child)));
  }
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

function isFolder(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}
