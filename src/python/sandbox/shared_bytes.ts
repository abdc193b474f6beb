// What every interpreter starts with, as WebAssembly modules: those are compiled once in the frame and shared by its workers, where bytes
// would be copied for each of them, 30 MB of memory three times. To instantiate the module of a memory snapshot is to write the
// memory; its zeros, half of it, are left out, since where nothing was ever written a new interpreter has zeros too. A file lies in its
// module as a custom section and costs nothing until it is read.

const PAGE = 65536;
const IMPORTS = 0x02; // sections, by WebAssembly's numbers
const DATA = 0x0b;
const FILE = "f"; // the custom section's name

/** From `start` up to `end`, in bytes. */
type Range = readonly [start: number, end: number];

/** A snapshot of an interpreter's memory. */
export interface SharedSnapshot {
  /** Pyodide's header and what it knows of its JavaScript objects, with no memory behind. */
  readonly head: ArrayBuffer;
  readonly memory: WebAssembly.Module;
  readonly zeros: readonly Range[];
}

/**
 * @param snapshot what Pyodide's makeMemorySnapshot gave; whether it fits this Pyodide is for the interpreter to tell
 * @returns null when it is no snapshot
 */
export async function shareSnapshot(snapshot: ArrayBuffer): Promise<SharedSnapshot | null> {
  const header = new DataView(snapshot);
  const start = snapshot.byteLength < 8 ? Infinity : header.getUint32(4, true); // where the memory begins
  if (start > snapshot.byteLength || (snapshot.byteLength - start) % PAGE !== 0) return null;
  const bytes = new Uint8Array(snapshot, start);
  const { written, zeros } = rangesOf(bytes);
  const memory = [1, 1, 0x65, 1, 0x6d, 2, 0, 0]; // one import: "e" "m", a memory of any size
  const segments = written.flatMap(([from, to]) => {
    const place = [0, 0x41, ...signedLeb(from), 0x0b]; // active, at i32.const from
    return [[...place, ...leb(to - from)], bytes.subarray(from, to)];
  });
  const module = moduleOf([
    [IMPORTS, [memory]],
    [DATA, [leb(written.length), ...segments]],
  ]);
  return { head: snapshot.slice(0, start), memory: await WebAssembly.compile(module), zeros };
}

/**
 * Makes the memory of a new interpreter that of the snapshot.
 * @param careful look whether the rest is zeros; what holds for one interpreter holds for all that start the same way
 * @throws Error when it is not
 */
export async function restoreMemory(snapshot: SharedSnapshot, memory: WebAssembly.Memory, careful: boolean): Promise<void> {
  if (careful && !snapshot.zeros.every(([start, end]) => isZero(new Int32Array(memory.buffer, start, (end - start) / 4))))
    throw new Error("a new interpreter's memory is not what its snapshot was made for");
  await WebAssembly.instantiate(snapshot.memory, { e: { m: memory } });
}

function isZero(words: Int32Array): boolean {
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) return false;
  return true;
}

export interface SharedFile {
  readonly module: WebAssembly.Module;
  /** In bytes. */
  readonly size: number;
}

export async function shareFile(file: ArrayBuffer): Promise<SharedFile> {
  const section = [[FILE.length, FILE.charCodeAt(0)], new Uint8Array(file)];
  return { module: await WebAssembly.compile(moduleOf([[0, section]])), size: file.byteLength };
}

/** A copy of the file's bytes. */
export function readShared({ module }: SharedFile): ArrayBuffer {
  const [file] = WebAssembly.Module.customSections(module, FILE);
  if (!file) throw new Error("the module holds no file");
  return file;
}

/** The runs of pages that hold something, and those that hold nothing. */
function rangesOf(bytes: Uint8Array): { written: Range[]; zeros: Range[] } {
  const ranges = { written: [] as Range[], zeros: [] as Range[] };
  const kindAt = (at: number) => (bytes.subarray(at, at + PAGE).some((byte) => byte !== 0) ? "written" : "zeros");
  for (let start = 0, at = 0; at < bytes.length; start = at) {
    const kind = kindAt(at);
    while (at < bytes.length && kindAt(at) === kind) at += PAGE;
    ranges[kind].push([start, Math.min(at, bytes.length)]);
  }
  return ranges;
}

type Bytes = ArrayLike<number>;

/** A WebAssembly module of these sections, each of them in parts. */
function moduleOf(sections: readonly (readonly [number, readonly Bytes[]])[]): Uint8Array<ArrayBuffer> {
  const sizeOf = (parts: readonly Bytes[]) => parts.reduce((total, part) => total + part.length, 0);
  const magic = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  const all = [magic, ...sections.flatMap(([number, parts]) => [[number, ...leb(sizeOf(parts))], ...parts])];
  const module = new Uint8Array(sizeOf(all));
  let at = 0;
  for (const part of all) {
    module.set(part, at);
    at += part.length;
  }
  return module;
}

/** WebAssembly's numbers: seven bits to a byte, the lowest first. */
function leb(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...leb(Math.floor(value / 128))];
}

/** Of a number that is not negative: its last byte must not look like a negative number's. */
function signedLeb(value: number): number[] {
  return value < 64 ? [value] : [(value % 128) + 128, ...signedLeb(Math.floor(value / 128))];
}
