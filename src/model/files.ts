// A model folder, wherever it lies: below a URL, or in files that the user picked. (A local folder: cli/folder.ts.)

import { InputError } from "../input_error.ts";
import { type ByteSource, bytesSource, refuseLfsPointer } from "./safetensors.ts";

/** A model's files by name. */
export interface ModelFiles {
  /** What to call the model: the folder's name or address. */
  readonly id: string;
  /** The file, or null where there is none. Throws an InputError where it cannot be told. */
  open(path: string): Promise<ByteSource | null>;
}

/** A tensor in one of a model's files. */
export interface StoredTensor {
  readonly source: ByteSource;
  /** As the file's format calls it. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Values of the rows [from, to), as float32; a tensor of one dimension is one row. null: a dtype that no weight has. */
  readonly readRows: ((from: number, to: number) => Promise<Float32Array<ArrayBuffer>>) | null;
  /** The same as half-precision bit patterns, where they are stored so. */
  readonly readHalves?: (from: number, to: number) => Promise<Uint16Array<ArrayBuffer>>;
}

/**
 * Files below a base address. They are read by range requests where the server answers those, else as a whole.
 * @param id the model's name
 * @param base the folder's address; a slash at its end may be left out
 */
export function urlFiles(id: string, base: string): ModelFiles {
  const folder = base.endsWith("/") ? base : `${base}/`;
  return { id, open: (path) => openUrl(path, `${folder}${path}`) };
}

/** Enough for a safetensors header of a large model: most files then need no second request for it. */
const FIRST_BYTES = 1 << 18;

async function openUrl(name: string, url: string): Promise<ByteSource | null> {
  const response = await request(name, url, 0, FIRST_BYTES);
  if (response.status === 416) return bytesSource(name, new Uint8Array(0)); // a file of no bytes has no first one
  // A server of single-page apps answers with its page where there is no such file.
  const isPage = response.headers.get("content-type")?.startsWith("text/html") ?? false;
  if (response.status === 404 || response.status === 410 || isPage) return null;
  if (!response.ok) throw new InputError(`${name}: the server answered ${response.status} for ${url}.`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const total = response.status === 206 ? totalSize(response) : bytes.length;
  if (total === bytes.length) return bytesSource(name, bytes);
  if (total === null || total < bytes.length) return openWhole(name, url);
  return { name, size: total, slice: (begin, end) => sliceUrl(name, url, begin, end, bytes) };
}

async function request(name: string, url: string, begin: number, end: number): Promise<Response> {
  try {
    return await fetch(url, { headers: { Range: `bytes=${begin}-${end - 1}` } });
  } catch {
    throw new InputError(`${name}: ${url} cannot be reached; check the address and the connection.`);
  }
}

/** The whole file's size by "Content-Range: bytes 0-9/1234", or null where the server keeps it to itself. */
function totalSize(response: Response): number | null {
  const match = /\/(\d+)$/.exec(response.headers.get("content-range") ?? "");
  return match ? Number(match[1]) : null;
}

async function openWhole(name: string, url: string): Promise<ByteSource> {
  const response = await fetch(url);
  if (!response.ok) throw new InputError(`${name}: the server answered ${response.status} for ${url}.`);
  return bytesSource(name, new Uint8Array(await response.arrayBuffer()));
}

async function sliceUrl(name: string, url: string, begin: number, end: number, first: Uint8Array): Promise<Uint8Array> {
  if (end <= first.length) return first.subarray(begin, end);
  if (end === begin) return new Uint8Array(0);
  const response = await request(name, url, begin, end);
  if (response.status !== 206) throw new InputError(`${name}: the server answered ${response.status} to a range request for ${url}.`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (bytes.length !== end - begin) throw new InputError(`${name}: expected ${end - begin} bytes of ${url}, found ${bytes.length}.`);
  return bytes;
}

/**
 * Files that the user picked or dropped; they are read in slices, not copied.
 * @param files of one folder; what lies in folders inside it is named with its path ("adapter/adapter_config.json")
 */
export function pickedFiles(id: string, files: readonly File[]): ModelFiles {
  const byPath = new Map(files.map((file) => [file.webkitRelativePath.split("/").slice(1).join("/") || file.name, file]));
  return {
    id,
    open: async (path) => {
      const file = byPath.get(path);
      return file ? blobSource(path, file) : null;
    },
  };
}

/** Files that are in memory. */
export function bytesFiles(id: string, files: readonly { path: string; bytes: Uint8Array }[]): ModelFiles {
  const byPath = new Map(files.map(({ path, bytes }) => [path, bytes]));
  return {
    id,
    open: async (path) => {
      const bytes = byPath.get(path);
      return bytes ? bytesSource(path, bytes) : null;
    },
  };
}

function blobSource(name: string, blob: Blob): ByteSource {
  return { name, size: blob.size, slice: async (begin, end) => new Uint8Array(await blob.slice(begin, end).arrayBuffer()) };
}

/** A file's text, or null where there is none. */
export async function readText(files: ModelFiles, path: string): Promise<string | null> {
  const source = await files.open(path);
  return source ? new TextDecoder().decode(await source.slice(0, source.size)) : null;
}

/**
 * A JSON file's content, or null where there is no such file.
 * @throws InputError where it is not JSON
 */
export async function readJson(files: ModelFiles, path: string): Promise<unknown> {
  const text = await readText(files, path);
  if (text === null) return null;
  refuseLfsPointer(`${path} of ${files.id}`, new TextEncoder().encode(text.slice(0, 24)));
  try {
    return JSON.parse(text);
  } catch {
    throw new InputError(`${path} of ${files.id}: expected JSON, found ${text.length} characters that are not.`);
  }
}
