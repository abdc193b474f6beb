// A folder in memory that dies, or is full, when it is told to: at its n-th operation, with a part of it done.
import type { Folder, Log, StoredFile } from "../../src/storage/folder.ts";

/** What a kill looks like from inside the process. */
export class Killed extends Error {}

export class MemoryFolder implements Folder {
  readonly name = "memory";
  readonly files = new Map<string, Uint8Array<ArrayBuffer>>();
  operations = 0;
  /** The operation that does not come to its end, counted from 1; after it every one fails. */
  killAt = Number.POSITIVE_INFINITY;
  /** What it fails with. */
  failure = (): Error => new Killed(`killed at operation ${this.killAt}`);
  /** Awaited before each operation: where it never ends, the process is stopped there. */
  before = async (): Promise<void> => {};
  /** Share of its bytes that the killed operation still writes. */
  tornAt = 0.5;

  /** The same files for a process that starts anew. */
  survivor(): MemoryFolder {
    const folder = new MemoryFolder();
    for (const [path, bytes] of this.files) folder.files.set(path, bytes);
    return folder;
  }

  async list(): Promise<StoredFile[]> {
    await this.before();
    return [...this.files].map(([path, { length }]) => ({ path, bytes: length }));
  }

  async read(path: string): Promise<Uint8Array<ArrayBuffer> | null> {
    await this.before();
    return this.files.get(path)?.slice() ?? null;
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    await this.before();
    this.#operate(() => this.files.set(`${path}.part`, bytes.slice(0, bytes.length * this.tornAt)));
    this.files.set(path, bytes.slice());
  }

  async openLog(path: string, keep: number): Promise<Log> {
    await this.before();
    this.#operate(() => {});
    this.files.set(path, (this.files.get(path) ?? new Uint8Array()).slice(0, keep));
    const append = (bytes: Uint8Array) => {
      const before = this.files.get(path)!;
      const after = new Uint8Array(before.length + bytes.length);
      after.set(before);
      after.set(bytes, before.length);
      this.files.set(path, after);
    };
    return {
      append: async (bytes) => {
        await this.before();
        this.#operate(() => append(bytes.subarray(0, bytes.length * this.tornAt)));
        append(bytes);
      },
      flush: async () => {},
      close: async () => {},
    };
  }

  async remove(path: string): Promise<void> {
    await this.before();
    this.#operate(() => {});
    for (const file of [...this.files.keys()]) if (file === path || file.startsWith(`${path}/`)) this.files.delete(file);
  }

  #operate(tear: () => void): void {
    this.operations += 1;
    if (this.operations < this.killAt) return;
    if (this.operations === this.killAt) tear();
    throw this.failure();
  }
}
