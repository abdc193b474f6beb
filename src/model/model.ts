// A model's frozen weights on the GPU. Size letters: C width, H heads, KV key/value heads, D head size, F feed-forward, V vocabulary.

import type { Gpu } from "../gpu/gpu.ts";
import { bytesOf, numel, type Tensor } from "../gpu/tensor.ts";
import { InputError } from "../input_error.ts";
import { inverseFrequencies, type ModelConfig, readConfig } from "./config.ts";
import { type ModelFiles, readJson } from "./files.ts";
import { MAX_BINDING_BYTES, type Matrix, type Weight } from "./matrix.ts";
import { f16BitsToF32 } from "./safetensors.ts";
import { loadTokenizer, type Tokenizer } from "./tokenizer.ts";
import { PROJECTIONS, type Projection, projectionPath, weightShapes } from "./weight_shapes.ts";
import { openWeights, type WeightFile } from "./weights.ts";

export type WeightDtype = "f32" | "f16";

export interface Linear {
  readonly matrix: Matrix; // [out, in]
  readonly bias: Tensor | null; // [out]
}

export type LayerWeights = Readonly<Record<Projection, Linear>> & {
  readonly inputNorm: Tensor; // [C]
  readonly postAttentionNorm: Tensor; // [C]
  readonly qNorm: Tensor | null; // [D], Qwen3
  readonly kNorm: Tensor | null; // [D], Qwen3
};

export interface Model {
  readonly id: string;
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
  readonly dtype: WeightDtype;
  /** Of the weight files, over their bytes in order. */
  readonly sha256: string;
  readonly parameters: number;
  readonly embedding: Matrix; // [V, C]
  readonly head: Matrix; // [V, C]; the embedding itself when tied
  readonly norm: Tensor; // [C]
  readonly rotary: Tensor; // [P, D] cosines and sines of the first P positions
  readonly layers: readonly LayerWeights[];
}

export interface LoadOptions {
  readonly dtype: WeightDtype;
  /** Told after each tensor: tensors loaded so far, tensors in all. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Reads config, tokenizer and weights of a Hugging Face folder and puts the weights on the GPU, tensor by tensor.
 * Throws an InputError naming file and tensor for what is missing, misshapen or not runnable.
 */
export async function loadModel(gpu: Gpu, files: ModelFiles, options: LoadOptions): Promise<Model> {
  const json = await readJson(files, "config.json");
  if (json === null) throw new InputError(`${files.id} has no config.json: name a Hugging Face model folder.`);
  const config = readConfig(json, `${files.id}/config.json`);
  const tokenizer = await loadTokenizer(files);
  const file = await openWeights(files);
  file.check(config);
  const loaded: Tensor[] = [];
  try {
    return await readWeights(gpu, { files, config, tokenizer, file, loaded, options });
  } catch (error) {
    for (const tensor of loaded) gpu.free(tensor);
    throw error;
  }
}

interface Loading {
  readonly files: ModelFiles;
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
  readonly file: WeightFile;
  readonly loaded: Tensor[];
  readonly options: LoadOptions;
}

async function readWeights(gpu: Gpu, { files, config, tokenizer, file, loaded, options }: Loading): Promise<Model> {
  const { C, F, headSize: D } = config;
  const shapes = weightShapes(config);
  if (C % 4 !== 0 || F % 4 !== 0 || D % 4 !== 0) {
    throw new InputError(`${files.id}/config.json: hidden_size ${C}, intermediate_size ${F} and head_dim ${D} must be multiples of 4.`);
  }
  const matrices = new Map<string, Matrix>();
  const vectors = new Map<string, Tensor>();
  let parameters = 0;
  for (const [name, shape] of shapes) {
    if (shape.length === 2) matrices.set(name, await readMatrix(gpu, file, name, shape, options.dtype, loaded));
    else vectors.set(name, await readVector(gpu, file, name, shape, options.dtype, loaded));
    parameters += numel(shape);
    options.onProgress?.(matrices.size + vectors.size, shapes.size);
  }
  const rotary = gpu.upload("rotary", [positions(config), D], rotaryTable(config));
  loaded.push(rotary);
  const embedding = matrices.get("model.embed_tokens.weight")!;
  const layers = Array.from({ length: config.layers }, (_, i) => layerWeights(matrices, vectors, `model.layers.${i}`));
  const head = config.tied ? embedding : matrices.get("lm_head.weight")!;
  const norm = vectors.get("model.norm.weight")!;
  return {
    id: files.id,
    config,
    tokenizer,
    dtype: options.dtype,
    sha256: await file.sha256(),
    parameters,
    embedding,
    head,
    norm,
    rotary,
    layers,
  };
}

function layerWeights(matrices: ReadonlyMap<string, Matrix>, vectors: ReadonlyMap<string, Tensor>, prefix: string): LayerWeights {
  const linear = (projection: Projection): Linear => {
    const name = `${prefix}.${projectionPath(projection)}`;
    return { matrix: matrices.get(`${name}.weight`)!, bias: vectors.get(`${name}.bias`) ?? null };
  };
  return {
    inputNorm: vectors.get(`${prefix}.input_layernorm.weight`)!,
    q_proj: linear("q_proj"),
    k_proj: linear("k_proj"),
    v_proj: linear("v_proj"),
    qNorm: vectors.get(`${prefix}.self_attn.q_norm.weight`) ?? null,
    kNorm: vectors.get(`${prefix}.self_attn.k_norm.weight`) ?? null,
    o_proj: linear("o_proj"),
    postAttentionNorm: vectors.get(`${prefix}.post_attention_layernorm.weight`)!,
    gate_proj: linear("gate_proj"),
    up_proj: linear("up_proj"),
    down_proj: linear("down_proj"),
  };
}

/** Longest sequence: the model's context, of which at most 8,192 positions are tabled. */
export const positions = ({ contextLength }: ModelConfig): number => Math.min(contextLength, 8192);

/** [P, D]: D/2 cosines, then D/2 sines of each position's angles, which are float32 products as in transformers. */
function rotaryTable(config: ModelConfig): Float32Array {
  const D = config.headSize;
  const frequencies = inverseFrequencies(config);
  const table = new Float32Array(positions(config) * D);
  for (let p = 0; p < positions(config); p++) {
    frequencies.forEach((frequency, i) => {
      const angle = Math.fround(p * frequency);
      table[p * D + i] = Math.cos(angle);
      table[p * D + D / 2 + i] = Math.sin(angle);
    });
  }
  return table;
}

/** A matrix in the format of its dtype, in as many shards of its rows as bindings need; what was put on the GPU is added to `loaded`. */
async function readMatrix(
  gpu: Gpu,
  file: WeightFile,
  name: string,
  shape: readonly number[],
  dtype: WeightDtype,
  loaded: Tensor[],
): Promise<Matrix> {
  const [rows = 0, columns = 0] = shape;
  const values = dtype === "f16" ? await file.readF16(name, shape) : await file.readF32(name, shape);
  const shardRows = Math.min(rows, Math.floor(MAX_BINDING_BYTES / bytesOf([1, columns], dtype)));
  const matrix: Weight[] = [];
  for (let first = 0; first < rows; first += shardRows) {
    const count = Math.min(shardRows, rows - first);
    const part = values.subarray(first * columns, (first + count) * columns);
    const data = part instanceof Float32Array ? gpu.upload(name, [count, columns], part) : packed(gpu, name, [count, columns], part);
    loaded.push(data);
    matrix.push({ data, scales: null });
  }
  return matrix;
}

/** A norm's weights or a bias: held as f32 whatever the dtype, with f16's values where that is asked for. */
async function readVector(
  gpu: Gpu,
  file: WeightFile,
  name: string,
  shape: readonly number[],
  dtype: WeightDtype,
  loaded: Tensor[],
): Promise<Tensor> {
  const values = dtype === "f16" ? f16BitsToF32(await file.readF16(name, shape)) : await file.readF32(name, shape);
  const tensor = gpu.upload(name, shape, values);
  loaded.push(tensor);
  return tensor;
}

/** Half-precision bits as packed words on the GPU. */
function packed(gpu: Gpu, name: string, shape: readonly number[], halves: Uint16Array): Tensor {
  const tensor = gpu.alloc(name, shape, "f16");
  const words = new Uint16Array(tensor.bytes / 2);
  words.set(halves);
  gpu.write(tensor, new Uint32Array(words.buffer));
  return tensor;
}

/** Every tensor that the model holds, each once. */
export function modelTensors({ embedding, head, norm, rotary, layers }: Model): Tensor[] {
  const all: (Tensor | null)[] = [...matrixTensors(embedding), ...matrixTensors(head), norm, rotary];
  for (const layer of layers) {
    all.push(layer.inputNorm, layer.postAttentionNorm, layer.qNorm, layer.kNorm);
    for (const projection of PROJECTIONS) all.push(...matrixTensors(layer[projection].matrix), layer[projection].bias);
  }
  return [...new Set(all)].filter((t) => t !== null);
}

const matrixTensors = (matrix: Matrix): (Tensor | null)[] => matrix.flatMap(({ data, scales }) => [data, scales]);

export function freeModel(gpu: Gpu, model: Model): void {
  for (const tensor of modelTensors(model)) gpu.free(tensor);
}
