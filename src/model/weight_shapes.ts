// The tensors of a model by their names in a Hugging Face checkpoint, and the widths of the projections that LoRA adapts.

import type { ModelConfig } from "./config.ts";

/** The seven linear layers of a block, in the order of the forward pass. */
export const PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"] as const;
export type Projection = (typeof PROJECTIONS)[number];

export function isProjection(name: string): name is Projection {
  return PROJECTIONS.some((projection) => projection === name);
}

/** The matrices of a block, in the order of the forward pass. */
export const LAYER_MATRICES = ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"] as const;
export type LayerMatrix = (typeof LAYER_MATRICES)[number];

/** Projections of the same input lie in one matrix, their rows one behind another. */
export const PROJECTIONS_OF: Readonly<Record<LayerMatrix, readonly [Projection, ...Projection[]]>> = {
  qkv_proj: ["q_proj", "k_proj", "v_proj"],
  o_proj: ["o_proj"],
  gate_up_proj: ["gate_proj", "up_proj"],
  down_proj: ["down_proj"],
};

/** Where a projection's rows lie in its matrix. */
export interface MatrixPart {
  readonly projection: Projection;
  readonly first: number;
  readonly rows: number;
}

/** The projections of one of a block's matrices, in the order of their rows. */
export function matrixParts(config: ModelConfig, matrix: LayerMatrix): MatrixPart[] {
  let first = 0;
  return PROJECTIONS_OF[matrix].map((projection) => {
    const [rows] = projectionShape(config, projection);
    first += rows;
    return { projection, first: first - rows, rows };
  });
}

/** A projection's path inside its layer: "self_attn.q_proj". */
export function projectionPath(projection: Projection): string {
  const inMlp = projection === "gate_proj" || projection === "up_proj" || projection === "down_proj";
  return `${inMlp ? "mlp" : "self_attn"}.${projection}`;
}

/** A projection's weight is [outputs, inputs]. */
export function projectionShape(config: ModelConfig, projection: Projection): [outputs: number, inputs: number] {
  const { C, F, heads, kvHeads, headSize } = config;
  switch (projection) {
    case "q_proj":
      return [heads * headSize, C];
    case "k_proj":
    case "v_proj":
      return [kvHeads * headSize, C];
    case "o_proj":
      return [C, heads * headSize];
    case "gate_proj":
    case "up_proj":
      return [F, C];
    case "down_proj":
      return [C, F];
  }
}

/** Name and shape of every tensor that the model has; a tied head is not one of its own. */
export function weightShapes(config: ModelConfig): Map<string, number[]> {
  const shapes = new Map<string, number[]>([["model.embed_tokens.weight", [config.vocabulary, config.C]]]);
  for (let layer = 0; layer < config.layers; layer++) {
    for (const [name, shape] of layerShapes(config)) shapes.set(`model.layers.${layer}.${name}`, shape);
  }
  shapes.set("model.norm.weight", [config.C]);
  if (!config.tied) shapes.set("lm_head.weight", [config.vocabulary, config.C]);
  return shapes;
}

function layerShapes(config: ModelConfig): Map<string, number[]> {
  const shapes = new Map<string, number[]>([["input_layernorm.weight", [config.C]]]);
  for (const projection of PROJECTIONS) {
    const shape = projectionShape(config, projection);
    const biased = projection === "o_proj" ? config.outputBias : config.qkvBias && /^[qkv]_proj$/.test(projection);
    shapes.set(`${projectionPath(projection)}.weight`, shape);
    if (biased) shapes.set(`${projectionPath(projection)}.bias`, [shape[0]]);
  }
  if (config.qkNorm) {
    shapes.set("self_attn.q_norm.weight", [config.headSize]);
    shapes.set("self_attn.k_norm.weight", [config.headSize]);
  }
  shapes.set("post_attention_layernorm.weight", [config.C]);
  return shapes;
}
