// The weights of a model: one model.safetensors, several files and an index that says which tensor lies where, or a GGUF file.

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { InputError } from "../input_error.ts";
import type { ModelConfig } from "./config.ts";
import { type ModelFiles, readJson, type StoredTensor } from "./files.ts";
import { GgufFolder } from "./gguf.ts";
import { type ByteSource, f16BitsToF32, f32ToF16Bits, readSafetensorsHeader, readTensorF32, type TensorInfo } from "./safetensors.ts";
import { weightShapes } from "./weight_shapes.ts";

const FLOATS: readonly string[] = ["F32", "F16", "BF16"];
const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";

/** How much of a file is held while it is digested. */
const SLICE_BYTES = 1 << 24;

/**
 * Opens the weights of a model folder and checks their headers; reads no tensor.
 * @throws InputError where the folder has no weights or they are damaged
 */
export async function openWeights(files: ModelFiles): Promise<WeightFile> {
  return new WeightFile(files.id, files instanceof GgufFolder ? files.tensors : await findTensors(files));
}

async function findTensors(files: ModelFiles): Promise<Map<string, StoredTensor>> {
  const source = await files.open(SINGLE);
  if (source) return tensorsOf(source);
  const index = await readJson(files, INDEX);
  if (index === null) throw new InputError(`${files.id}: expected ${SINGLE} or ${INDEX}, found neither.`);
  const shards = new Map<string, Map<string, StoredTensor>>();
  const tensors = new Map<string, StoredTensor>();
  for (const [name, file] of weightMap(index)) {
    const shard = shards.get(file) ?? (await openShard(files, file));
    shards.set(file, shard);
    const tensor = shard.get(name);
    if (!tensor) throw new InputError(`${file}: expected tensor "${name}", which ${INDEX} says is there, found none.`);
    tensors.set(name, tensor);
  }
  return tensors;
}

async function openShard(files: ModelFiles, file: string): Promise<Map<string, StoredTensor>> {
  const source = await files.open(file);
  if (!source) throw new InputError(`${files.id}: expected ${file}, which ${INDEX} names, found no such file.`);
  return tensorsOf(source);
}

async function tensorsOf(source: ByteSource): Promise<Map<string, StoredTensor>> {
  const { tensors } = await readSafetensorsHeader(source);
  return new Map([...tensors].map(([name, info]) => [name, storedTensor(source, info)]));
}

function storedTensor(source: ByteSource, info: TensorInfo): StoredTensor {
  const { dtype, shape, begin, end } = info;
  const rows = shape.length > 1 ? shape[0]! : 1;
  const rowBytes = (end - begin) / rows;
  const readRows = (from: number, to: number) =>
    readTensorF32(source, { ...info, begin: begin + from * rowBytes, end: begin + to * rowBytes });
  const readHalves = async (from: number, to: number) =>
    new Uint16Array(new Uint8Array(await source.slice(begin + from * rowBytes, begin + to * rowBytes)).buffer);
  return { source, dtype, shape, readRows: FLOATS.includes(dtype) ? readRows : null, ...(dtype === "F16" && { readHalves }) };
}

function weightMap(index: unknown): [string, string][] {
  const map = typeof index === "object" && index !== null && "weight_map" in index ? index.weight_map : null;
  if (typeof map !== "object" || map === null) throw new InputError(`${INDEX}: expected weight_map, an object of file names by tensor.`);
  return Object.entries(map).map(([name, file]: [string, unknown]) => {
    const inFolder = typeof file === "string" && file.endsWith(".safetensors") && !/[/\\]/.test(file);
    if (!inFolder) throw new InputError(`${INDEX}: tensor "${name}": expected a file of this folder, found ${JSON.stringify(file)}.`);
    return [name, file];
  });
}

/** Index of the first value that is no finite number, or -1; a loop, because a model has hundreds of millions of them. */
function firstNotFinite(values: Float32Array): number {
  for (let i = 0; i < values.length; i++) if (values[i]! - values[i]! !== 0) return i;
  return -1;
}

function firstNotFiniteHalf(halves: Uint16Array): number {
  for (let i = 0; i < halves.length; i++) if ((halves[i]! & 0x7c00) === 0x7c00) return i;
  return -1;
}

type Rows = readonly [from: number, to: number];

const allRows = (shape: readonly number[]): Rows => [0, shape.length > 1 ? shape[0]! : 1];

/** Index in the whole tensor of the first value that was read. */
const firstValue = (values: { readonly length: number }, [from, to]: Rows): number => (values.length / (to - from)) * from;

const notFinite = ({ name: file }: ByteSource, name: string, value: number, at: number): InputError =>
  new InputError(`${file}: tensor "${name}": expected finite values, found ${value} at ${at}.`);

/** The weights of a model, read tensor by tensor. Reading throws an InputError naming file, tensor, expected and found. */
export class WeightFile {
  readonly folder: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;

  constructor(folder: string, tensors: ReadonlyMap<string, StoredTensor>) {
    this.folder = folder;
    this.tensors = tensors;
  }

  /** Checks that every tensor of the config is there in its shape, before the first one is read. What else is there is left alone. */
  check(config: ModelConfig): void {
    for (const [name, shape] of weightShapes(config)) this.#find(name, shape);
  }

  /** A tensor's values, row-major; all of them finite. `rows` [from, to): only these rows of a matrix. */
  async readF32(name: string, shape: readonly number[], rows = allRows(shape)): Promise<Float32Array<ArrayBuffer>> {
    const { source, readRows } = this.#find(name, shape);
    const values = await readRows(...rows);
    const wrong = firstNotFinite(values);
    if (wrong >= 0) throw notFinite(source, name, values[wrong]!, wrong + firstValue(values, rows));
    return values;
  }

  /** The same as half-precision bit patterns: those that are stored, or the values rounded to nearest even. */
  async readF16(name: string, shape: readonly number[], rows = allRows(shape)): Promise<Uint16Array<ArrayBuffer>> {
    const { source, readHalves } = this.#find(name, shape);
    if (readHalves) {
      const halves = await readHalves(...rows);
      const wrong = firstNotFiniteHalf(halves);
      if (wrong < 0) return halves;
      const [value = Number.NaN] = f16BitsToF32(halves.subarray(wrong, wrong + 1));
      throw notFinite(source, name, value, wrong + firstValue(halves, rows));
    }
    const values = await this.readF32(name, shape, rows);
    const halves = f32ToF16Bits(values);
    const wrong = firstNotFiniteHalf(halves);
    if (wrong < 0) return halves;
    const at = wrong + firstValue(halves, rows);
    throw new InputError(`${this.folder}: tensor "${name}": ${values[wrong]} at ${at} is too large for dtype f16; use f32.`);
  }

  /** SHA-256 over the weight files' bytes, the files in the order of their names. */
  async sha256(): Promise<string> {
    const sources = new Map([...this.tensors.values()].map(({ source }) => [source.name, source]));
    const digest = sha256.create();
    for (const name of [...sources.keys()].sort()) {
      const source = sources.get(name)!;
      for (let begin = 0; begin < source.size; begin += SLICE_BYTES) {
        digest.update(await source.slice(begin, Math.min(begin + SLICE_BYTES, source.size)));
      }
    }
    return bytesToHex(digest.digest());
  }

  #find(name: string, shape: readonly number[]) {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new InputError(`${this.folder}: expected tensor "${name}" of shape [${shape}] by config.json, found none.`);
    const found = tensor.shape;
    if (found.length !== shape.length || found.some((size, i) => size !== shape[i])) {
      throw new InputError(`${tensor.source.name}: tensor "${name}": expected shape [${shape}] by config.json, found [${found}].`);
    }
    const { readRows } = tensor;
    if (readRows) return { ...tensor, readRows };
    throw new InputError(`${tensor.source.name}: tensor "${name}": expected dtype F32, F16 or BF16, found ${tensor.dtype}.`);
  }
}
