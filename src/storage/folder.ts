// What storage needs of a place: a folder on disk (command line) or in the browser's private file system (page).

export interface StoredFile {
  /** Relative to the folder, with / between its parts. */
  readonly path: string;
  readonly bytes: number;
}

/** A folder and all below it. Every failure is an error with one sentence. */
export interface Folder {
  /** Where it lies, for messages. */
  readonly name: string;
  /** All files in it, in no order; [] where there is no such folder. */
  list(): Promise<StoredFile[]>;
  /** A whole file, or null where there is none. */
  read(path: string): Promise<Uint8Array<ArrayBuffer> | null>;
  /** Writes a whole file under another name, flushes it and renames it: whoever is killed leaves the old file or the new one. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Opens a file to append to it; what lies beyond its first `keep` bytes is cut off. */
  openLog(path: string, keep: number): Promise<Log>;
  /** Removes a file, or a folder with all in it; nothing where there is none. */
  remove(path: string): Promise<void>;
}

/** A file that grows at its end. */
export interface Log {
  append(bytes: Uint8Array): Promise<void>;
  /** Returns when all that was appended would survive a power cut. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** A folder within a folder. */
export function subfolder(folder: Folder, name: string): Folder {
  const at = (path: string) => `${name}/${path}`;
  return {
    name: `${folder.name}/${name}`,
    list: async () => {
      const below = (await folder.list()).filter(({ path }) => path.startsWith(`${name}/`));
      return below.map(({ path, bytes }) => ({ path: path.slice(name.length + 1), bytes }));
    },
    read: (path) => folder.read(at(path)),
    write: (path, bytes) => folder.write(at(path), bytes),
    openLog: (path, keep) => folder.openLog(at(path), keep),
    remove: (path) => folder.remove(at(path)),
  };
}
