// The weights of a model folder: one model.safetensors, or several files and an index that says which tensor lies where.

import { InputError } from "../input_error.ts";
import type { ModelConfig } from "./config.ts";
import { type ModelFiles, readJson } from "./files.ts";
import { type ByteSource, readSafetensorsHeader, type TensorInfo } from "./safetensors.ts";
import { weightShapes } from "./weight_shapes.ts";

/** A tensor and the file that holds it. */
export interface StoredTensor {
  source: ByteSource;
  info: TensorInfo;
}

const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";

/**
 * Finds the tensors of a model folder and checks their headers; reads none of them.
 * @throws InputError where the folder has no weights or they are damaged
 */
export async function findTensors(files: ModelFiles): Promise<Map<string, StoredTensor>> {
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
  return new Map([...tensors].map(([name, info]) => [name, { source, info }]));
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

/**
 * Picks the tensors that the model has, each of the shape that its config says; what else is in the files is left alone.
 * @throws InputError naming file, tensor, expected and found
 */
export function checkTensors(config: ModelConfig, tensors: ReadonlyMap<string, StoredTensor>, folder: string): Map<string, StoredTensor> {
  const checked = new Map<string, StoredTensor>();
  for (const [name, shape] of weightShapes(config)) {
    const tensor = tensors.get(name);
    if (!tensor) throw new InputError(`${folder}: expected tensor "${name}" of shape [${shape}] by config.json, found none.`);
    const { source, info } = tensor;
    if (info.shape.length !== shape.length || info.shape.some((size, i) => size !== shape[i])) {
      throw new InputError(`${source.name}: tensor "${name}": expected shape [${shape}] by config.json, found [${info.shape}].`);
    }
    if (info.dtype !== "F32" && info.dtype !== "F16" && info.dtype !== "BF16") {
      throw new InputError(`${source.name}: tensor "${name}": expected dtype F32, F16 or BF16, found ${info.dtype}.`);
    }
    checked.set(name, tensor);
  }
  return checked;
}
