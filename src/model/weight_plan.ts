// How each frozen matrix is kept on the GPU under a dtype: its format, and the shards of its rows. Loading follows this plan, and the
// memory plan counts it.

import { bytesOf } from "../gpu/tensor.ts";
import { GROUP } from "../gpu/weight_format.ts";
import { InputError } from "../input_error.ts";
import { type ModelConfig, positions } from "./config.ts";
import { MAX_BINDING_BYTES } from "./matrix.ts";
import { weightShapes } from "./weight_shapes.ts";

export const WEIGHT_DTYPES = ["f32", "f16", "int8", "int4"] as const;
/** What --dtype asks for. */
export type WeightDtype = (typeof WEIGHT_DTYPES)[number];

/** Rows of a matrix that lie in one buffer. */
export interface Shard {
  readonly first: number;
  readonly rows: number;
}

export interface MatrixPlan {
  readonly name: string;
  readonly shape: readonly [rows: number, columns: number];
  readonly dtype: WeightDtype;
  readonly shards: readonly Shard[];
}

/** A table of at most this many bytes as f32 is not quantised: that would save little, and every token goes through it. */
const SMALL_TABLE_BYTES = 2 ** 24;

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
function planMatrix(name: string, rows: number, columns: number, dtype: WeightDtype): MatrixPlan {
  const kept = matrixDtype(name, rows, columns, dtype);
  if ((kept === "int8" || kept === "int4") && columns % GROUP !== 0) {
    throw new InputError(`tensor "${name}" has rows of ${columns}, and ${kept} needs a multiple of ${GROUP}: use --dtype f16.`);
  }
  const shardRows = Math.floor(MAX_BINDING_BYTES / bytesOf([1, columns], kept));
  const shards: Shard[] = [];
  for (let first = 0; first < rows; first += shardRows) shards.push({ first, rows: Math.min(shardRows, rows - first) });
  return { name, shape: [rows, columns], dtype: kept, shards };
}

/** The plans of all matrices of a model, by name. */
export function matrixPlans(config: ModelConfig, dtype: WeightDtype): Map<string, MatrixPlan> {
  const matrices = [...weightShapes(config)].filter(([, shape]) => shape.length === 2);
  return new Map(matrices.map(([name, [rows = 0, columns = 0]]) => [name, planMatrix(name, rows, columns, dtype)]));
}

/** The dtypes that the model's rows allow: int8 and int4 need whole groups. */
export function possibleDtypes({ C, F, heads, headSize }: ModelConfig): WeightDtype[] {
  const grouped = [C, F, heads * headSize].every((columns) => columns % GROUP === 0);
  return WEIGHT_DTYPES.filter((dtype) => grouped || dtype === "f32" || dtype === "f16");
}

/** Bytes of a model's frozen weights on the GPU, the table of rotations included. */
export function weightBytes(config: ModelConfig, dtype: WeightDtype): number {
  const vectors = [...weightShapes(config).values()].filter((shape) => shape.length === 1);
  let bytes = bytesOf([positions(config), config.headSize], "f32");
  for (const shape of vectors) bytes += bytesOf(shape, "f32");
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
