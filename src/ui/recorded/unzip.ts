// A zip's files, each held against its checksum: fflate's own reader believes the file.
import { strFromU8 } from "fflate";
import { crc32, joined } from "../../bytes.ts";
import { InputError, messageOf } from "../../input_error.ts";
import { inflated } from "../../unpack.ts";

/** A run has a dozen files. What a zip claims of their sizes binds its unpacking. */
const MAX_FILES = 1000;
const MAX_UNPACKED = 2 ** 30;

const [END, CENTRAL, LOCAL] = [0x06054b50, 0x02014b50, 0x04034b50];
const END_BYTES = 22;
const CENTRAL_BYTES = 46;
const LOCAL_BYTES = 30;
const [STORED, DEFLATED] = [0, 8];
const ENCRYPTED = 1;
const UTF8 = 2048;

/** Unpacked before the page may draw again. */
const BYTES_AT_ONCE = 2 ** 20;

/** Lets the page answer input between two pieces of reading. */
export const breathe = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

/** An entry of a zip's directory. */
interface Entry {
  path: string;
  method: number;
  checksum: number;
  packedBytes: number;
  bytes: number;
  /** Where its own header begins. */
  at: number;
}

/**
 * A zip's files by path; a single folder around them all is taken off.
 * @throws InputError where it is no zip, damaged, or larger than a run's
 */
export async function unzip(name: string, bytes: Uint8Array): Promise<Map<string, Uint8Array>> {
  const zip = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const entries = directoryOf(name, zip);
  const unpacked = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  if (unpacked > MAX_UNPACKED) throw new InputError(tooMuch(name, entries.length, unpacked));
  const files = new Map<string, Uint8Array>();
  for (const entry of entries.filter(({ path }) => !path.endsWith("/"))) {
    if (files.has(entry.path)) throw new InputError(`${name}: ${entry.path} is in it twice.`);
    files.set(entry.path, await contentOf(name, zip, entry));
  }
  return withoutOuterFolder(files);
}

const tooMuch = (name: string, files: number, bytes: number) =>
  `${name}: ${files} files of ${bytes} bytes unpacked; a run has at most ${MAX_FILES} of ${MAX_UNPACKED} in all.`;

function slice(zip: DataView, from: number, length: number): Uint8Array {
  if (from + length > zip.byteLength) throw new RangeError("it ends too early");
  return new Uint8Array(zip.buffer, zip.byteOffset + from, length);
}

function directoryOf(name: string, zip: DataView): Entry[] {
  try {
    const end = endOf(zip);
    const count = zip.getUint16(end + 10, true);
    if (count > MAX_FILES) throw new InputError(tooMuch(name, count, 0));
    const entries: Entry[] = [];
    let at = zip.getUint32(end + 16, true);
    for (let i = 0; i < count; i++) {
      entries.push(entryAt(zip, at));
      at += CENTRAL_BYTES + zip.getUint16(at + 28, true) + zip.getUint16(at + 30, true) + zip.getUint16(at + 32, true);
    }
    if (at !== end) throw new RangeError("its directory has more files than it says");
    return entries;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new InputError(`${name}: expected a zip of a run, found a file that does not unzip.`);
  }
}

/** Where the record at the zip's end begins; behind it is only a comment. */
function endOf(zip: DataView): number {
  for (let at = zip.byteLength - END_BYTES; at >= Math.max(0, zip.byteLength - END_BYTES - 0xffff); at--) {
    if (zip.getUint32(at, true) === END && zip.getUint16(at + 20, true) === zip.byteLength - at - END_BYTES) return at;
  }
  throw new RangeError("it has no end record");
}

function entryAt(zip: DataView, at: number): Entry {
  if (zip.getUint32(at, true) !== CENTRAL) throw new RangeError("its directory is damaged");
  const flags = zip.getUint16(at + 8, true);
  if (flags & ENCRYPTED) throw new RangeError("it is encrypted");
  return {
    path: strFromU8(slice(zip, at + CENTRAL_BYTES, zip.getUint16(at + 28, true)), !(flags & UTF8)),
    method: zip.getUint16(at + 10, true),
    checksum: zip.getUint32(at + 16, true),
    packedBytes: zip.getUint32(at + 20, true),
    bytes: zip.getUint32(at + 24, true),
    at: zip.getUint32(at + 42, true),
  };
}

async function contentOf(name: string, zip: DataView, entry: Entry): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let sinceBreath = 0;
  try {
    for (const piece of unpacking(packedOf(zip, entry), entry)) {
      pieces.push(piece);
      sinceBreath += piece.length;
      if (sinceBreath > BYTES_AT_ONCE) {
        await breathe();
        sinceBreath = 0;
      }
    }
  } catch (error) {
    throw new InputError(`${name}: ${entry.path} does not unpack: ${messageOf(error)}.`);
  }
  const content = joined(pieces);
  if (content.length === entry.bytes && crc32(content) === entry.checksum) return content;
  throw new InputError(`${name}: ${entry.path} is damaged: its checksum is another.`);
}

function unpacking(packed: Uint8Array, { method, bytes }: Entry): Iterable<Uint8Array> {
  if (method === STORED) return [packed];
  if (method === DEFLATED) return inflated(packed, bytes);
  throw new Error(`it is packed by method ${method}, not by deflate`);
}

/** The packed bytes, which stand behind a header that says the same name again. */
function packedOf(zip: DataView, { at, path, packedBytes }: Entry): Uint8Array {
  if (zip.getUint32(at, true) !== LOCAL) throw new Error("its header is damaged");
  const nameBytes = zip.getUint16(at + 26, true);
  const latin1 = !(zip.getUint16(at + 6, true) & UTF8);
  if (strFromU8(slice(zip, at + LOCAL_BYTES, nameBytes), latin1) !== path) throw new Error("its header gives it another name");
  return slice(zip, at + LOCAL_BYTES + nameBytes + zip.getUint16(at + 28, true), packedBytes);
}

function withoutOuterFolder(files: Map<string, Uint8Array>): Map<string, Uint8Array> {
  const run = [...files.keys()].find((path) => path.endsWith("/run.json"));
  if (files.has("run.json") || run === undefined) return files;
  const folder = run.slice(0, -"run.json".length);
  return new Map([...files].map(([path, bytes]) => [path.startsWith(folder) ? path.slice(folder.length) : path, bytes]));
}
