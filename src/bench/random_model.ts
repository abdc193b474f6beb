// A model of a given shape with random weights: for measuring speed and counting work, where no answer matters.

import type { Gpu } from "../gpu/gpu.ts";
import { bytesOf, type Tensor } from "../gpu/tensor.ts";
import type { ModelConfig } from "../model/config.ts";
import { positions } from "../model/config.ts";
import { MAX_BINDING_BYTES, type Matrix, type Weight } from "../model/matrix.ts";
import type { LayerWeights, Linear, Model } from "../model/model.ts";
import { type LayerMatrix, matrixParts, PROJECTIONS_OF, projectionShape } from "../model/weight_shapes.ts";
import { normal } from "../random.ts";

/** Qwen2.5-Coder-0.5B. */
export const QWEN_05B: ModelConfig = {
  family: "qwen2",
  C: 896,
  F: 4864,
  layers: 24,
  heads: 14,
  kvHeads: 2,
  headSize: 64,
  vocabulary: 151936,
  contextLength: 32768,
  normEps: 1e-6,
  tied: true,
  qkvBias: true,
  outputBias: false,
  qkNorm: false,
  rope: { theta: 1e6, scaling: null },
  eosTokenIds: [],
};

const BLOCK = 1 << 16; // values that are drawn; they are repeated over the matrices

/** Frees with freeModel. Its text is one letter a token, and nothing ends its answers. */
export function randomModel(gpu: Gpu, id: string, shape: ModelConfig, dtype: "f32" | "f16" | "int8" | "int4"): Model {
  const config = { ...shape, eosTokenIds: [] };
  const block = gpu.upload("random block", [BLOCK], blockOf(dtype));
  const matrix = (name: string, N: number, K: number) => randomMatrix(gpu, block, name, [N, K], dtype);
  const vector = (name: string, length: number, value: number) => gpu.upload(name, [length], new Float32Array(length).fill(value));
  const layer = (): LayerWeights => {
    const linear = (name: LayerMatrix): Linear => {
      const N = matrixParts(config, name).reduce((sum, { rows }) => sum + rows, 0);
      const [, K] = projectionShape(config, PROJECTIONS_OF[name][0]);
      return { matrix: matrix(name, N, K), bias: config.qkvBias && name === "qkv_proj" ? vector(`${name} bias`, N, 0.1) : null };
    };
    return {
      qkv_proj: linear("qkv_proj"),
      o_proj: linear("o_proj"),
      gate_up_proj: linear("gate_up_proj"),
      down_proj: linear("down_proj"),
      inputNorm: vector("input norm", config.C, 1),
      postAttentionNorm: vector("post-attention norm", config.C, 1),
      headNorms: config.qkNorm ? { ...vector("head norms", 2 * config.headSize, 1), shape: [2, config.headSize] } : null,
    };
  };
  const embedding = matrix("embedding", config.vocabulary, config.C);
  const model: Model = {
    id,
    config,
    tokenizer: {
      encode: (text) => [...text].map((letter) => letter.charCodeAt(0) % config.vocabulary),
      decode: (ids) => ids.map((token) => String.fromCharCode(97 + (token % 26))).join(""),
      eosTokenId: 0,
      endTokenIds: [],
      eosToken: "a",
      chatTemplate: null,
      renderChat: (messages) => messages.map(({ content }) => content).join("\n"),
    },
    dtype,
    sha256: "",
    parameters: 0,
    embedding,
    head: config.tied ? embedding : matrix("head", config.vocabulary, config.C),
    norm: vector("norm", config.C, 1),
    rotary: gpu.alloc("rotary", [positions(config), config.headSize]),
    layers: Array.from({ length: config.layers }, layer),
  };
  gpu.free(block);
  return model;
}

/** Normal values of deviation 0.02, or random words where weights are packed. */
function blockOf(dtype: string): Float32Array | Uint32Array {
  if (dtype === "f32") return Float32Array.from({ length: BLOCK }, (_, i) => 0.02 * normal(1, 2, i));
  // Of f16 only the exponent's low bits vary: values between 2^-7 and 2^-5 of either sign.
  return Uint32Array.from({ length: BLOCK }, (_, i) => {
    const word = Math.floor(2 ** 31 * Math.abs(normal(1, 3, i))) >>> 0;
    return dtype === "f16" ? ((word & 0x87ff87ff) | 0x20002000) >>> 0 : word;
  });
}

function randomMatrix(gpu: Gpu, block: Tensor, name: string, [N, K]: readonly [number, number], dtype: Model["dtype"]): Matrix {
  const shardRows = Math.min(N, Math.floor(MAX_BINDING_BYTES / bytesOf([1, K], dtype)));
  const matrix: Weight[] = [];
  for (let first = 0; first < N; first += shardRows) {
    const rows = Math.min(shardRows, N - first);
    const data = gpu.alloc(name, [rows, K], dtype);
    for (let at = 0; at < data.bytes; at += block.bytes) {
      gpu.copy(block, { ...data, offset: at }, Math.min(block.bytes, data.bytes - at));
    }
    const quantised = dtype === "int8" || dtype === "int4";
    const groups = (rows * K) / 32;
    matrix.push({ data, scales: quantised ? gpu.upload(`${name} scales`, [rows, K / 32], new Float32Array(groups).fill(1e-3)) : null });
  }
  return matrix;
}
