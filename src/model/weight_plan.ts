// How each frozen tensor is kept on the GPU under a dtype: its format, the shards of its rows, and which tensors of the checkpoint it is
// made of. Loading follows this plan, and the memory plan counts it.

import { bytesOf } from "../gpu/tensor.ts";
import { GROUP } from "../gpu/weight_format.ts";
import { InputError } from "../input_error.ts";
import { type ModelConfig, positions } from "./config.ts";
import { MAX_BINDING_BYTES } from "./matrix.ts";
import { LAYER_MATRICES, type LayerMatrix, PROJECTIONS_OF, projectionPath, weightShapes } from "./weight_shapes.ts";

export const WEIGHT_DTYPES = ["f32", "f16", "int8", "int4"] as const;
/** What --dtype asks for. */
export type WeightDtype = (typeof WEIGHT_DTYPES)[number];

/** Rows of a matrix that lie in one buffer. */
export interface Shard {
  readonly first: number;
  readonly rows: number;
}

/** A tensor of the checkpoint. */
export interface StoredPart {
  readonly name: string;
  readonly shape: readonly number[];
}

export interface MatrixPlan {
  readonly name: string;
  /** Whose rows it has, one behind another. */
  readonly parts: readonly StoredPart[];
  readonly shape: readonly [rows: number, columns: number];
  readonly dtype: WeightDtype;
  readonly shards: readonly Shard[];
}

/** A table of at most this many bytes as f32 is not quantised: that would save little, and every token goes through it. */
const SMALL_TABLE_BYTES = 2 ** 24;

/** A norm's weights or a bias, or some of them one behind another. */
export interface VectorPlan {
  readonly name: string;
  readonly parts: readonly StoredPart[];
  readonly shape: readonly number[];
}

/**
 * Under int8 and int4 the seven projections are of that dtype. The tables (embedding, and the head where it is not tied) are int8 under
 * both where they are large, else f32: at 4 bits they cost accuracy, and in half precision they alone are 272 MB of a 0.5B model.
 */
function matrixDtype(name: string, rows: number, columns: number, dtype: WeightDtype): WeightDtype {
  const isTable = name === "model.embed_tokens.weight" || name === "lm_head.weight";
  if (dtype === "f32" || dtype === "f16" || !isTable) return dtype;
  return 4 * rows * columns <= SMALL_TABLE_BYTES ? "f32" : "int8";
}

/**
 * The plan of one matrix, in as many shards of its rows as bindings need.
 * @throws InputError where its rows cannot be quantised
 */
function planMatrix(name: string, parts: readonly StoredPart[], dtype: WeightDtype): MatrixPlan {
  const rows = parts.reduce((sum, { shape }) => sum + shape[0]!, 0);
  const columns = parts[0]!.shape[1]!;
  const kept = matrixDtype(name, rows, columns, dtype);
  if ((kept === "int8" || kept === "int4") && columns % GROUP !== 0) {
    throw new InputError(`tensor "${parts[0]!.name}" has rows of ${columns}, and ${kept} needs a multiple of ${GROUP}: use --dtype f16.`);
  }
  const shardRows = Math.floor(MAX_BINDING_BYTES / bytesOf([1, columns], kept));
  const shards: Shard[] = [];
  for (let first = 0; first < rows; first += shardRows) shards.push({ first, rows: Math.min(shardRows, rows - first) });
  return { name, parts, shape: [rows, columns], dtype: kept, shards };
}

/** The name of one of a layer's matrices: "model.layers.0.self_attn.qkv_proj.weight". */
export function layerMatrixName(layer: number, matrix: LayerMatrix, kind: "weight" | "bias" = "weight"): string {
  const path = projectionPath(PROJECTIONS_OF[matrix][0]);
  return `model.layers.${layer}.${path.slice(0, path.lastIndexOf("."))}.${matrix}.${kind}`;
}

/** The name of both norms of the heads of a layer, which stand in one tensor: for q, then for k. */
export const headNormsName = (layer: number): string => `model.layers.${layer}.self_attn.qk_norm.weight`;

/** Which tensors of the checkpoint make up each tensor on the GPU, by name: in the order of loading. */
function partsByName(config: ModelConfig): Map<string, StoredPart[]> {
  const together = new Map<string, string>();
  for (let layer = 0; layer < config.layers; layer++) {
    for (const matrix of LAYER_MATRICES) {
      for (const projection of PROJECTIONS_OF[matrix]) {
        const prefix = `model.layers.${layer}.${projectionPath(projection)}`;
        for (const kind of ["weight", "bias"] as const) together.set(`${prefix}.${kind}`, layerMatrixName(layer, matrix, kind));
      }
    }
    for (const norm of ["q_norm", "k_norm"]) together.set(`model.layers.${layer}.self_attn.${norm}.weight`, headNormsName(layer));
  }
  const parts = new Map<string, StoredPart[]>();
  for (const [name, shape] of weightShapes(config)) {
    const whole = together.get(name) ?? name;
    parts.set(whole, [...(parts.get(whole) ?? []), { name, shape }]);
  }
  return parts;
}

/** The plans of all matrices of a model, by name. */
export function matrixPlans(config: ModelConfig, dtype: WeightDtype): Map<string, MatrixPlan> {
  const matrices = [...partsByName(config)].filter(([, [first]]) => first!.shape.length === 2);
  return new Map(matrices.map(([name, parts]) => [name, planMatrix(name, parts, dtype)]));
}

/** The plans of all norms and biases of a model, by name; the norms of heads are [2, D]. */
export function vectorPlans(config: ModelConfig): Map<string, VectorPlan> {
  const vectors = [...partsByName(config)].filter(([, [first]]) => first!.shape.length === 1);
  const shapeOf = (name: string, parts: readonly StoredPart[]) => {
    const length = parts.reduce((sum, { shape }) => sum + shape[0]!, 0);
    return name.endsWith(".qk_norm.weight") ? [2, length / 2] : [length];
  };
  return new Map(vectors.map(([name, parts]) => [name, { name, parts, shape: shapeOf(name, parts) }]));
}

/** The dtypes that the model's rows allow: int8 and int4 need whole groups. */
export function possibleDtypes({ C, F, heads, headSize }: ModelConfig): WeightDtype[] {
  const grouped = [C, F, heads * headSize].every((columns) => columns % GROUP === 0);
  return WEIGHT_DTYPES.filter((dtype) => grouped || dtype === "f32" || dtype === "f16");
}

/** Bytes of a model's frozen weights on the GPU, the table of rotations included. */
export function weightBytes(config: ModelConfig, dtype: WeightDtype): number {
  let bytes = bytesOf([positions(config), config.headSize], "f32");
  for (const { shape } of vectorPlans(config).values()) bytes += bytesOf(shape, "f32");
  for (const plan of matrixPlans(config, dtype).values()) bytes += matrixBytes(plan);
  return bytes;
}

function matrixBytes({ shape: [, columns], dtype, shards }: MatrixPlan): number {
  const scaled = dtype === "int8" || dtype === "int4";
  return shards.reduce(
    (sum, { rows }) => sum + bytesOf([rows, columns], dtype) + (scaled ? bytesOf([rows, columns / GROUP], "f32") : 0),
    0,
  );
}
