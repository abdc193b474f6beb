// A model's frozen weights on the GPU. Size letters: C width, H heads, KV key/value heads, D head size, F feed-forward, V vocabulary.

import type { Gpu } from "../gpu/gpu.ts";
import { numel, type Tensor } from "../gpu/tensor.ts";
import { InputError } from "../input_error.ts";
import { inverseFrequencies, type ModelConfig, positions, readConfig } from "./config.ts";
import { type ModelFiles, readJson } from "./files.ts";
import type { Matrix } from "./matrix.ts";
import { loadTokenizer, type Tokenizer } from "./tokenizer.ts";
import { Upload } from "./upload.ts";
import { headNormsName, layerMatrixName, type MatrixPlan, matrixPlans, vectorPlans, type WeightDtype } from "./weight_plan.ts";
import { LAYER_MATRICES, type LayerMatrix, weightShapes } from "./weight_shapes.ts";
import { openWeights, type WeightFile } from "./weights.ts";

export interface Linear {
  readonly matrix: Matrix; // [out, in]
  readonly bias: Tensor | null; // [out]
}

export type LayerWeights = Readonly<Record<LayerMatrix, Linear>> & {
  readonly inputNorm: Tensor; // [C]
  readonly postAttentionNorm: Tensor; // [C]
  readonly headNorms: Tensor | null; // [2, D] for q and k, Qwen3
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
  /** Looks at what will be loaded before anything is allocated; what it throws ends the loading. */
  readonly check?: (model: Pick<Model, "id" | "config" | "tokenizer">) => Promise<void>;
  /** What to do where the GPU has room for so many bytes alone; null: nothing in particular. */
  readonly advise?: (bytes: number) => string | null;
  /** Ends the loading; what was loaded is freed. */
  readonly signal?: AbortSignal;
}

/**
 * Reads config, tokenizer and weights of a Hugging Face folder and puts the weights on the GPU, tensor by tensor.
 * Throws an InputError naming file and tensor for what is missing, misshapen or not runnable.
 */
export async function loadModel(gpu: Gpu, files: ModelFiles, options: LoadOptions): Promise<Model> {
  const json = await readJson(files, "config.json");
  if (json === null) throw new InputError(`${files.id} has no config.json: name a Hugging Face model folder.`);
  const named = readConfig(json, `${files.id}/config.json`);
  const tokenizer = await loadTokenizer(files);
  const config = { ...named, eosTokenIds: [...new Set([...named.eosTokenIds, ...tokenizer.endTokenIds])] };
  const file = await openWeights(files);
  file.check(config);
  checkSizes(config, `${files.id}/config.json`);
  const plans = matrixPlans(config, options.dtype);
  await options.check?.({ id: files.id, config, tokenizer });
  const upload = new Upload(gpu, file, options.advise);
  try {
    return await readWeights(gpu, { files, config, tokenizer, file, plans, upload, options });
  } catch (error) {
    upload.undo();
    throw error;
  }
}

/** What the kernels read in vectors of four. */
function checkSizes({ C, F, headSize }: ModelConfig, file: string): void {
  if (C % 4 === 0 && F % 4 === 0 && headSize % 4 === 0) return;
  throw new InputError(`${file}: hidden_size ${C}, intermediate_size ${F} and head_dim ${headSize} must be multiples of 4.`);
}

interface Loading {
  readonly files: ModelFiles;
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
  readonly file: WeightFile;
  readonly plans: ReadonlyMap<string, MatrixPlan>;
  readonly upload: Upload;
  readonly options: LoadOptions;
}

async function readWeights(gpu: Gpu, { files, config, tokenizer, file, plans, upload, options }: Loading): Promise<Model> {
  const { dtype, onProgress, signal } = options;
  const matrices = new Map<string, Matrix>();
  const vectors = new Map<string, Tensor>();
  const planned = vectorPlans(config);
  const progress = () => onProgress?.(matrices.size + vectors.size, plans.size + planned.size);
  for (const [name, plan] of plans) {
    signal?.throwIfAborted();
    matrices.set(name, await upload.matrix(plan));
    progress();
  }
  for (const [name, plan] of planned) {
    signal?.throwIfAborted();
    vectors.set(name, await upload.vector(plan, dtype));
    progress();
  }
  const rotary = await upload.values("rotary", [positions(config), config.headSize], rotaryTable(config));
  const embedding = matrices.get("model.embed_tokens.weight")!;
  const norm = vectors.get("model.norm.weight")!;
  await gpu.read(norm); // throws where the device was lost meanwhile: nothing else would tell
  return {
    id: files.id,
    config,
    tokenizer,
    dtype,
    sha256: await file.sha256(),
    parameters: [...weightShapes(config).values()].reduce((sum, shape) => sum + numel(shape), 0),
    embedding,
    head: config.tied ? embedding : matrices.get("lm_head.weight")!,
    norm,
    rotary,
    layers: Array.from({ length: config.layers }, (_, i) => layerWeights(matrices, vectors, i)),
  };
}

function layerWeights(matrices: ReadonlyMap<string, Matrix>, vectors: ReadonlyMap<string, Tensor>, i: number): LayerWeights {
  const linear = (matrix: LayerMatrix): Linear => ({
    matrix: matrices.get(layerMatrixName(i, matrix))!,
    bias: vectors.get(layerMatrixName(i, matrix, "bias")) ?? null,
  });
  return {
    inputNorm: vectors.get(`model.layers.${i}.input_layernorm.weight`)!,
    qkv_proj: linear("qkv_proj"),
    headNorms: vectors.get(headNormsName(i)) ?? null,
    o_proj: linear("o_proj"),
    postAttentionNorm: vectors.get(`model.layers.${i}.post_attention_layernorm.weight`)!,
    gate_up_proj: linear("gate_up_proj"),
    down_proj: linear("down_proj"),
  };
}

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

/** Every tensor that the model holds, each once. */
export function modelTensors({ embedding, head, norm, rotary, layers }: Model): Tensor[] {
  const all: (Tensor | null)[] = [...matrixTensors(embedding), ...matrixTensors(head), norm, rotary];
  for (const layer of layers) {
    all.push(layer.inputNorm, layer.postAttentionNorm, layer.headNorms);
    for (const name of LAYER_MATRICES) all.push(...matrixTensors(layer[name].matrix), layer[name].bias);
  }
  return [...new Set(all)].filter((t) => t !== null);
}

const matrixTensors = (matrix: Matrix): (Tensor | null)[] => matrix.flatMap(({ data, scales }) => [data, scales]);

export function freeModel(gpu: Gpu, model: Model): void {
  for (const tensor of modelTensors(model)) gpu.free(tensor);
}
