// The safetensors format, by its specification: eight bytes of header length, a JSON header, then the tensors without gaps.
// Whatever the header claims is checked before a byte of a tensor is read.

import { InputError } from "../input_error.ts";

/** Bytes per value of the format's dtypes. Types below one byte (F4, F6) are not read. */
const BYTES_PER_VALUE = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
} as const;

export type Dtype = keyof typeof BYTES_PER_VALUE;

export function tensorBytes(dtype: Dtype, shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, BYTES_PER_VALUE[dtype]);
}

/** The reference implementation refuses longer headers too. */
const MAX_HEADER_BYTES = 100_000_000;

export interface TensorInfo {
  name: string;
  dtype: Dtype;
  shape: number[];
  /** Byte range in the file. */
  begin: number;
  end: number;
}

/** A file that is read in slices, wherever it lies. `slice` throws when the bytes cannot be had in full. */
export interface ByteSource {
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  slice(begin: number, end: number): Promise<Uint8Array>;
}

export interface SafetensorsHeader {
  /** In the order of their bytes. */
  tensors: Map<string, TensorInfo>;
  metadata: Record<string, string>;
}

/**
 * What git leaves of a large file where it was cloned without git-lfs: three lines of text that begin so.
 * @throws InputError where these are a file's first bytes
 */
export function refuseLfsPointer(name: string, first: Uint8Array): void {
  if (!new TextDecoder().decode(first.subarray(0, 24)).startsWith("version https://git-lfs")) return;
  throw new InputError(`${name} is a Git LFS pointer, not the file itself: fetch it with \`git lfs pull\`, or download it from the hub.`);
}

/** A source over bytes in memory. */
export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  return { name, size: bytes.length, slice: async (begin, end) => bytes.subarray(begin, end) };
}

/**
 * Reads and checks a file's header.
 * @throws InputError naming the file, the tensor, what was expected and what was found.
 */
export async function readSafetensorsHeader(source: ByteSource): Promise<SafetensorsHeader> {
  const fail = (message: string) => new InputError(`${source.name}: ${message}`);
  if (source.size < 8) throw fail(`not a safetensors file: expected at least 8 bytes, found ${source.size}.`);
  refuseLfsPointer(source.name, await source.slice(0, Math.min(24, source.size)));
  const length = readLength(await source.slice(0, 8));
  if (length > BigInt(MAX_HEADER_BYTES)) throw fail(`expected a header of at most ${MAX_HEADER_BYTES} bytes, found a length of ${length}.`);
  const headerEnd = 8 + Number(length);
  if (headerEnd > source.size) {
    throw fail(`expected a header of ${length} bytes, found a file of ${source.size}: truncated, or not a safetensors file.`);
  }
  const header = parseHeader(await source.slice(8, headerEnd), fail);
  const metadata = readMetadata(header.__metadata__, fail);
  const tensors = Object.entries(header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, entry]) => readEntry(name, entry, headerEnd, fail));
  checkRanges(tensors, headerEnd, source.size, fail);
  return { tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])), metadata };
}

type Fail = (message: string) => InputError;

function readLength(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
}

function parseHeader(bytes: Uint8Array, fail: Fail): Record<string, unknown> {
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    header = JSON.parse(text);
  } catch {
    throw fail(`expected a JSON object as header, found ${bytes.length} bytes that are not JSON.`);
  }
  if (!isObject(header) || !text.startsWith("{")) throw fail("expected a JSON object as header, found other JSON.");
  const twice = duplicateKey(text);
  if (twice !== null) throw fail(`expected every name once in the header, found ${JSON.stringify(twice)} twice.`);
  return header;
}

/** The first key that an object of a valid JSON text has twice, or null: JSON.parse keeps the last one without a word. */
export function duplicateKey(json: string): string | null {
  const open: ({ keys: Set<string>; keyNext: boolean } | null)[] = []; // null: an array
  for (let i = 0; i < json.length; i++) {
    const top = open.at(-1);
    switch (json[i]) {
      case "{":
        open.push({ keys: new Set(), keyNext: true });
        break;
      case "[":
        open.push(null);
        break;
      case "}":
      case "]":
        open.pop();
        break;
      case ",":
        if (top) top.keyNext = true;
        break;
      case '"': {
        const begin = i;
        while (json[++i] !== '"') if (json[i] === "\\") i++;
        if (!top?.keyNext) break;
        const key: string = JSON.parse(json.slice(begin, i + 1));
        if (top.keys.has(key)) return key;
        top.keys.add(key);
        top.keyNext = false;
      }
    }
  }
  return null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readMetadata(value: unknown, fail: Fail): Record<string, string> {
  if (value === undefined) return {};
  if (!isObject(value)) throw fail("__metadata__: expected an object of strings.");
  const texts: [string, string][] = [];
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") throw fail(`__metadata__: expected a string for ${JSON.stringify(key)}, found ${JSON.stringify(text)}.`);
    texts.push([key, text]);
  }
  return Object.fromEntries(texts);
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isDtype(value: unknown): value is Dtype {
  return typeof value === "string" && Object.hasOwn(BYTES_PER_VALUE, value);
}

/** One tensor's entry: dtype, shape and offsets, each right in itself and in agreement with the others. */
function readEntry(name: string, entry: unknown, headerEnd: number, fail: Fail): TensorInfo {
  const failTensor = (message: string) => fail(`tensor ${JSON.stringify(name)}: ${message}`);
  if (!isObject(entry)) throw failTensor(`expected an object with dtype, shape and data_offsets, found ${brief(entry)}.`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (!isDtype(dtype)) throw failTensor(`expected a dtype among ${Object.keys(BYTES_PER_VALUE).join(", ")}, found ${brief(dtype)}.`);
  if (!Array.isArray(shape) || !shape.every(isSize)) throw failTensor(`expected a shape of whole numbers, found ${brief(shape)}.`);
  if (shape.includes(0)) throw failTensor(`expected dimensions of at least 1, found the empty shape ${brief(shape)}.`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    throw failTensor(`expected data_offsets [begin, end], found ${brief(offsets)}.`);
  }
  const [begin, end]: number[] = offsets;
  if (begin! > end!) throw failTensor(`expected data_offsets in order, found ${brief(offsets)}.`);
  const bytes = tensorBytes(dtype, shape);
  if (end! - begin! !== bytes) {
    throw failTensor(
      `expected ${bytes} bytes for shape ${brief(shape)} of ${dtype}, found ${end! - begin!} (data_offsets ${brief(offsets)}).`,
    );
  }
  return { name, dtype, shape: [...shape], begin: headerEnd + begin!, end: headerEnd + end! };
}

function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** The tensors must fill the file's data without gap or overlap; sorts them by their bytes. */
function checkRanges(tensors: TensorInfo[], headerEnd: number, size: number, fail: Fail): void {
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let expected = headerEnd;
  for (const { name, begin, end } of tensors) {
    if (end > size) {
      throw fail(
        `tensor ${JSON.stringify(name)}: expected ${end - headerEnd} bytes of data, found ${size - headerEnd}: the file is truncated.`,
      );
    }
    if (begin !== expected) {
      const what = begin < expected ? "overlaps the tensor before it" : "leaves a gap before it";
      throw fail(
        `tensor ${JSON.stringify(name)}: ${what}: expected data_offsets from ${expected - headerEnd}, found ${begin - headerEnd}.`,
      );
    }
    expected = end;
  }
  if (expected !== size) throw fail(`expected the file to end with its last tensor at byte ${expected}, found ${size} bytes.`);
}

/**
 * Reads one tensor as float32, exactly: F32, F16 and BF16 values, subnormals, infinities and NaN included, are float32 values.
 * @returns its values in row-major order
 * @throws InputError for another dtype or missing bytes
 */
export async function readTensorF32(source: ByteSource, info: TensorInfo): Promise<Float32Array<ArrayBuffer>> {
  const bytes = await source.slice(info.begin, info.end);
  if (bytes.length !== info.end - info.begin) {
    throw new InputError(`${source.name}: tensor "${info.name}": expected ${info.end - info.begin} bytes, found ${bytes.length}.`);
  }
  switch (info.dtype) {
    case "F32": {
      const values = new Uint8Array(bytes); // a copy starts on a boundary of four bytes
      return new Float32Array(values.buffer);
    }
    case "F16":
      return f16BitsToF32(new Uint16Array(new Uint8Array(bytes).buffer));
    case "BF16":
      return bf16BitsToF32(new Uint16Array(new Uint8Array(bytes).buffer));
    default:
      throw new InputError(`${source.name}: tensor "${info.name}": expected dtype F32, F16 or BF16, found ${info.dtype}.`);
  }
}

/** Half-precision bit patterns to the float32 values that they stand for. */
export function f16BitsToF32(halves: Uint16Array): Float32Array<ArrayBuffer> {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = f16Bits(halves[i]!);
  return new Float32Array(bits.buffer);
}

/** The float32 bit pattern of a half-precision one. */
function f16Bits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 31) return sign | 0x7f800000 | (fraction << 13);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  const shift = Math.clz32(fraction) - 21; // a subnormal's leading one becomes the hidden bit
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
}

/** bfloat16 is the upper half of float32. */
export function bf16BitsToF32(halves: Uint16Array): Float32Array<ArrayBuffer> {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16;
  return new Float32Array(bits.buffer);
}

/** Rounds float32 values to half precision: to nearest, ties to even, overflow to infinity; NaN stays NaN. Gives bit patterns. */
export function f32ToF16Bits(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < halves.length; i++) halves[i] = halfBits(bits[i]!);
  return halves;
}

function halfBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff); // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 and above round to infinity
  if (magnitude >= 0x38800000) return sign | roundShift(magnitude - 0x38000000, 13); // a carry moves into the exponent, as it should
  const shift = 126 - (magnitude >>> 23); // below 2^-14: count units of 2^-24
  return shift > 24 ? sign : sign | roundShift((magnitude & 0x7fffff) | 0x800000, shift);
}

/** value / 2^shift, to nearest, ties to even. */
function roundShift(value: number, shift: number): number {
  const half = 2 ** (shift - 1) - 1 + ((value >>> shift) & 1);
  return (value + half) >>> shift;
}

/** float32 values rounded to bfloat16 as PyTorch does it: to nearest, ties to even; NaN stays NaN. Gives bit patterns. */
export function f32ToBf16Bits(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < halves.length; i++) {
    const isNaN32 = (bits[i]! & 0x7fffffff) > 0x7f800000;
    halves[i] = isNaN32 ? (bits[i]! >>> 16) | 0x40 : roundShift(bits[i]!, 16);
  }
  return halves;
}

/**
 * The bytes before the tensors of a file, as the reference implementation writes them: padded with spaces to a multiple of eight.
 * @param tensors in the order in which their bytes follow
 * @throws Error where a name is given twice
 */
export function safetensorsHeader(
  tensors: readonly { name: string; dtype: Dtype; shape: readonly number[] }[],
  metadata?: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const entries: [string, unknown][] = [];
  if (metadata) entries.push(["__metadata__", Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)))]);
  const names = new Set<string>();
  let end = 0;
  for (const { name, dtype, shape } of tensors) {
    if (names.has(name)) throw new Error(`${name} is given twice.`);
    names.add(name);
    const begin = end;
    end += tensorBytes(dtype, shape);
    entries.push([name, { dtype, shape, data_offsets: [begin, end] }]);
  }
  const text = new TextEncoder().encode(`{${entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",")}}`);
  const header = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  header.set(text, 8);
  return header;
}

/**
 * Writes float32 tensors as the reference implementation does: sorted by name.
 * @throws Error where a shape and its data disagree, or a name is given twice
 */
export function writeSafetensors(
  tensors: readonly { name: string; shape: readonly number[]; data: Float32Array }[],
  metadata?: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const sorted = [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const { name, shape, data } of sorted) {
    if (shape.reduce((product, size) => product * size, 1) !== data.length) {
      throw new Error(`${name}: shape [${shape}] does not hold ${data.length} values.`);
    }
  }
  const header = safetensorsHeader(
    sorted.map(({ name, shape }) => ({ name, dtype: "F32", shape })),
    metadata,
  );
  const file = new Uint8Array(sorted.reduce((bytes, { data }) => bytes + data.byteLength, header.length));
  file.set(header);
  let offset = header.length;
  for (const { data } of sorted) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    offset += data.byteLength;
  }
  return file;
}
