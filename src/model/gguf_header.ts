// The head of a GGUF file (versions 2 and 3, little-endian): metadata and the table of tensors. Source: ggml/docs/gguf.md. Whatever
// it claims is checked before a byte of a tensor is read.

import { InputError } from "../input_error.ts";
import { TENSOR_TYPES, type TensorType, tensorTypeName } from "./gguf_blocks.ts";
import { type ByteSource, refuseLfsPointer } from "./safetensors.ts";

export type GgufValue = number | boolean | string | GgufValue[];

export interface GgufTensor {
  readonly type: TensorType;
  /** Outermost dimension first, as everywhere else; the file lists them the other way round. */
  readonly shape: readonly number[];
  /** Where its bytes begin in the file. */
  readonly begin: number;
}

export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

const FIRST_BYTES = 1 << 23; // the vocabulary of a large model fits
const MAX_HEADER_BYTES = 1 << 28;
const MAX_DIMENSIONS = 4; // ggml's own limit
const STRING = 8;
const ARRAY = 9;

/**
 * Reads and checks a file's head.
 * @throws InputError naming the file, what was expected and what was found
 */
export async function readGgufHeader(source: ByteSource): Promise<GgufHeader> {
  for (let size = FIRST_BYTES; ; size *= 4) {
    const bytes = await source.slice(0, Math.min(size, source.size));
    refuseLfsPointer(source.name, bytes);
    try {
      return parse(new Reader(source.name, bytes), source.size);
    } catch (error) {
      if (!(error instanceof EndOfBytes)) throw error;
      if (bytes.length === source.size) throw new InputError(`${source.name}: the file ends within its header: it is truncated.`);
      if (size >= MAX_HEADER_BYTES) throw new InputError(`${source.name}: expected a header of at most ${MAX_HEADER_BYTES} bytes.`);
    }
  }
}

/** The header goes on behind the bytes that were read. */
class EndOfBytes extends Error {}

class Reader {
  readonly name: string;
  at = 0;
  #bytes: Uint8Array;
  #view: DataView;
  #text = new TextDecoder();

  constructor(name: string, bytes: Uint8Array) {
    this.name = name;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  fail(message: string): InputError {
    return new InputError(`${this.name}: ${message}`);
  }

  /** Where the next n bytes begin. */
  take(n: number): number {
    if (this.at + n > this.#bytes.length) throw new EndOfBytes();
    this.at += n;
    return this.at - n;
  }

  u32(): number {
    return this.#view.getUint32(this.take(4), true);
  }

  /** A count, a length or an offset. */
  u64(): number {
    const value = this.#view.getBigUint64(this.take(8), true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.fail(`expected a size, found ${value}: the header is damaged.`);
    return Number(value);
  }

  string(): string {
    const length = this.u64();
    const begin = this.take(length);
    return this.#text.decode(this.#bytes.subarray(begin, begin + length));
  }

  /** A value of one of the format's types; an array's items are of one type and no arrays. */
  value(type: number): GgufValue {
    if (type === STRING) return this.string();
    if (type !== ARRAY) return this.#scalar(type);
    const items = this.u32();
    if (items === ARRAY) throw this.fail("expected arrays of plain values in the metadata, found an array of arrays.");
    const length = this.u64();
    const values: GgufValue[] = [];
    for (let i = 0; i < length; i++) values.push(this.value(items));
    return values;
  }

  #scalar(type: number): number | boolean {
    const view = this.#view;
    switch (type) {
      case 0:
        return view.getUint8(this.take(1));
      case 1:
        return view.getInt8(this.take(1));
      case 2:
        return view.getUint16(this.take(2), true);
      case 3:
        return view.getInt16(this.take(2), true);
      case 4:
        return view.getUint32(this.take(4), true);
      case 5:
        return view.getInt32(this.take(4), true);
      case 6:
        return view.getFloat32(this.take(4), true);
      case 7:
        return view.getUint8(this.take(1)) !== 0;
      case 10:
        return Number(view.getBigUint64(this.take(8), true));
      case 11:
        return Number(view.getBigInt64(this.take(8), true));
      case 12:
        return view.getFloat64(this.take(8), true);
      default:
        throw this.fail(`expected a metadata type from 0 to 12, found ${type}: the header is damaged.`);
    }
  }
}

function parse(reader: Reader, fileSize: number): GgufHeader {
  if (reader.u32() !== 0x46554747) throw reader.fail('not a GGUF file: expected it to begin with "GGUF".');
  const version = reader.u32();
  if (version !== 2 && version !== 3) throw reader.fail(`expected GGUF version 2 or 3, found ${version}.`);
  const tensorCount = reader.u64();
  const metadataCount = reader.u64();
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < metadataCount; i++) metadata.set(reader.string(), reader.value(reader.u32()));
  const entries: { name: string; dimensions: number[]; type: number; offset: number }[] = [];
  for (let i = 0; i < tensorCount; i++) {
    const name = reader.string();
    const rank = reader.u32();
    if (rank < 1 || rank > MAX_DIMENSIONS)
      throw reader.fail(`tensor "${name}": expected 1 to ${MAX_DIMENSIONS} dimensions, found ${rank}.`);
    entries.push({ name, dimensions: Array.from({ length: rank }, () => reader.u64()), type: reader.u32(), offset: reader.u64() });
  }
  const alignment = metadata.get("general.alignment") ?? 32;
  if (typeof alignment !== "number" || alignment < 1)
    throw reader.fail(`general.alignment: expected a number of bytes, found ${alignment}.`);
  const data = Math.ceil(reader.at / alignment) * alignment;
  const tensors = new Map<string, GgufTensor>();
  for (const { name, dimensions, type: number, offset } of entries) {
    const fail = (message: string) => reader.fail(`tensor "${name}": ${message}`);
    if (tensors.has(name)) throw fail("it is there twice.");
    const type = TENSOR_TYPES.get(number);
    if (!type) {
      const known = [...TENSOR_TYPES.values()].map((t) => t.name).join(", ");
      throw fail(`type ${tensorTypeName(number)} is not read; take a file of ${known}.`);
    }
    const [width = 0] = dimensions;
    if (dimensions.includes(0) || width % type.values !== 0) {
      throw fail(`expected rows of whole blocks of ${type.values} for type ${type.name}, found the shape [${dimensions.toReversed()}].`);
    }
    const end = data + offset + (dimensions.reduce((product, d) => product * d, 1) / type.values) * type.bytes;
    if (!(end <= fileSize)) throw fail(`expected the file to reach byte ${end}, found ${fileSize} bytes: the file is truncated.`);
    tensors.set(name, { type, shape: dimensions.toReversed(), begin: data + offset });
  }
  return { metadata, tensors };
}
