// config.json of the model families that Errata runs: what differs between them is data here, not another forward pass.
// Sources: the configuration and modelling files of Qwen2, Llama and Qwen3 in transformers (4.57 and 5.x spell rotary settings
// differently). What would not be run exactly is refused.

import { InputError } from "../input_error.ts";

export type Family = "qwen2" | "llama" | "qwen3";

export interface RopeScaling {
  type: "linear";
  factor: number;
}

export interface Llama3Scaling {
  type: "llama3";
  factor: number;
  lowFreqFactor: number;
  highFreqFactor: number;
  originalContextLength: number;
}

/** What GGUF files carry instead of llama3's settings: each inverse frequency is divided by its own number. */
export interface FrequencyDivisors {
  type: "divisors";
  divisors: number[]; // [headSize / 2]
}

export interface ModelConfig {
  family: Family;
  /** Width of the residual stream, and of the feed-forward layer. */
  C: number;
  F: number;
  layers: number;
  heads: number;
  kvHeads: number;
  /** May differ from C / heads. */
  headSize: number;
  /** Rows of the embedding; the tokenizer may have fewer tokens. */
  vocabulary: number;
  /** Positions that the model was made for. */
  contextLength: number;
  normEps: number;
  /** The head is the embedding. */
  tied: boolean;
  qkvBias: boolean;
  outputBias: boolean;
  /** RMSNorm over each head of q and k, before the rotation. */
  qkNorm: boolean;
  rope: { theta: number; scaling: null | RopeScaling | Llama3Scaling | FrequencyDivisors };
  eosTokenIds: number[];
}

/** Longest sequence: the model's context, of which at most 8,192 positions are tabled. */
export const positions = ({ contextLength }: Pick<ModelConfig, "contextLength">): number => Math.min(contextLength, 8192);

/** What the three families fix or leave to a default, as transformers has it. */
const FAMILIES: Record<Family, { architecture: string; headSize: number | null; qkvBias: boolean | null; qkNorm: boolean }> = {
  qwen2: { architecture: "Qwen2ForCausalLM", headSize: null, qkvBias: true, qkNorm: false },
  llama: { architecture: "LlamaForCausalLM", headSize: null, qkvBias: null, qkNorm: false },
  qwen3: { architecture: "Qwen3ForCausalLM", headSize: 128, qkvBias: null, qkNorm: true },
};

type Json = Record<string, unknown>;

/** One file's fields, with sentences for what is wrong with them. */
class Fields {
  readonly json: Json;
  readonly file: string;

  constructor(json: Json, file: string) {
    this.json = json;
    this.file = file;
  }

  fail(field: string, why: string): InputError {
    return new InputError(`${this.file}: ${field} ${JSON.stringify(this.json[field]) ?? "is missing"}: ${why}.`);
  }

  /** Absent and null are the same, as in transformers. */
  has(field: string): boolean {
    return this.json[field] !== undefined && this.json[field] !== null;
  }

  /** A whole number of at least 1. */
  count(field: string, missing?: number): number {
    const value = this.has(field) ? this.json[field] : missing;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 1) return value;
    throw this.fail(field, "expected a whole number of at least 1");
  }

  /** A finite number above 0. */
  positive(field: string, missing?: number): number {
    const value = this.has(field) ? this.json[field] : missing;
    if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
    throw this.fail(field, "expected a number above 0");
  }

  flag(field: string): boolean {
    const value = this.has(field) ? this.json[field] : false;
    if (typeof value === "boolean") return value;
    throw this.fail(field, "expected true or false");
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Reads a model's config.json in the spelling of transformers 4 or 5.
 * @param file what to call the file in a message
 * @throws InputError with one sentence that names the field and its value, where the model cannot be run exactly
 */
export function readConfig(json: unknown, file: string): ModelConfig {
  if (!isObject(json)) throw new InputError(`${file}: expected an object with the model's settings.`);
  const fields = new Fields(json, file);
  const family = readFamily(fields);
  const fixed = FAMILIES[family];
  refuseWhatIsNotRun(fields);
  const heads = fields.count("num_attention_heads");
  const C = fields.count("hidden_size");
  const attentionBias = fields.flag("attention_bias");
  const config: ModelConfig = {
    family,
    C,
    F: fields.count("intermediate_size"),
    layers: fields.count("num_hidden_layers"),
    heads,
    kvHeads: fields.count("num_key_value_heads", heads),
    headSize: fields.count("head_dim", fixed.headSize ?? C / heads),
    vocabulary: fields.count("vocab_size"),
    contextLength: fields.count("max_position_embeddings"),
    normEps: fields.positive("rms_norm_eps", 1e-6),
    tied: fields.flag("tie_word_embeddings"),
    qkvBias: fixed.qkvBias ?? attentionBias,
    outputBias: fixed.qkvBias === null && attentionBias,
    qkNorm: fixed.qkNorm,
    rope: readRope(fields),
    eosTokenIds: readTokenIds(json.eos_token_id, "eos_token_id", file),
  };
  if (heads % config.kvHeads !== 0) throw fields.fail("num_key_value_heads", `expected a divisor of num_attention_heads ${heads}`);
  const { scaling } = config.rope;
  if (scaling?.type === "divisors" && scaling.divisors.length !== config.headSize / 2) {
    throw new InputError(`${file}: expected ${config.headSize / 2} divisors of the rotary frequencies, found ${scaling.divisors.length}.`);
  }
  if (config.headSize % 2 !== 0) throw fields.fail("head_dim", `expected an even head size, found ${config.headSize}`);
  return config;
}

function readFamily(fields: Fields): Family {
  for (const field of ["num_experts", "num_local_experts"]) {
    if (fields.has(field)) throw fields.fail(field, "a mixture of experts cannot be run");
  }
  const type = fields.json.model_type;
  if (type !== "qwen2" && type !== "llama" && type !== "qwen3") {
    throw fields.fail("model_type", "this architecture cannot be run; expected qwen2, llama or qwen3");
  }
  const { architecture } = FAMILIES[type];
  const named = fields.json.architectures;
  if (fields.has("architectures") && !(Array.isArray(named) && named.includes(architecture))) {
    throw fields.fail("architectures", `this architecture cannot be run; expected ${architecture}`);
  }
  return type;
}

/** Settings that would change the results and that no kernel knows. */
function refuseWhatIsNotRun(fields: Fields): void {
  const { json } = fields;
  const activation = json.hidden_act ?? "silu";
  if (activation !== "silu" && activation !== "swish") throw fields.fail("hidden_act", "this activation cannot be run; expected silu");
  for (const field of ["mlp_bias", "use_mrope", "rope_interleaved"]) {
    if (fields.flag(field)) throw fields.fail(field, "this cannot be run; expected false");
  }
  if (fields.has("quantization_config")) throw fields.fail("quantization_config", "give the model's F32, F16 or BF16 weights instead");
  refuseSlidingWindows(fields);
}

/** `sliding_window` alone is no reason: it counts for the layers that use it. Llama's code never looks at these fields. */
function refuseSlidingWindows(fields: Fields): void {
  if (fields.json.model_type === "llama") return;
  if (fields.has("layer_types")) {
    const types = fields.json.layer_types;
    if (Array.isArray(types) && types.every((type) => type === "full_attention")) return;
    throw fields.fail("layer_types", "only layers of full_attention can be run");
  }
  if (!fields.flag("use_sliding_window") || fields.json.sliding_window === null) return;
  const first = Number(fields.json.max_window_layers ?? 28);
  if (first >= fields.count("num_hidden_layers")) return;
  throw fields.fail("use_sliding_window", `layers from ${first} on see a sliding window, which cannot be run`);
}

/** transformers 4: rope_theta and rope_scaling (null, or with `type` or `rope_type`); transformers 5: all in rope_parameters. */
function readRope(fields: Fields): ModelConfig["rope"] {
  const { json, file } = fields;
  const field = fields.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  const settings = json[field] ?? {};
  if (!isObject(settings)) throw fields.fail(field, "expected an object with the rotary settings");
  const rope = new Fields(settings, `${file}: ${field}`);
  const theta = rope.has("rope_theta") ? rope.positive("rope_theta") : fields.positive("rope_theta", 10000);
  for (const owner of [fields, rope]) {
    if (owner.positive("partial_rotary_factor", 1) !== 1) throw owner.fail("partial_rotary_factor", "this cannot be run; expected 1");
  }
  return { theta, scaling: readScaling(rope) };
}

function readScaling(rope: Fields): ModelConfig["rope"]["scaling"] {
  const field = rope.has("rope_type") ? "rope_type" : "type";
  const type = rope.json[field] ?? "default";
  if (type === "linear") return { type, factor: rope.positive("factor") };
  if (type === "divisors") {
    const divisors = rope.json[type];
    if (Array.isArray(divisors) && divisors.every((d) => typeof d === "number" && d > 0)) return { type, divisors };
    throw rope.fail(type, "expected numbers above 0");
  }
  if (type === "llama3") {
    const scaling: Llama3Scaling = {
      type,
      factor: rope.positive("factor"),
      lowFreqFactor: rope.positive("low_freq_factor"),
      highFreqFactor: rope.positive("high_freq_factor"),
      originalContextLength: rope.count("original_max_position_embeddings"),
    };
    if (scaling.highFreqFactor <= scaling.lowFreqFactor) throw rope.fail("high_freq_factor", "expected more than low_freq_factor");
    return scaling;
  }
  if (type !== "default") throw rope.fail(field, "this rope type cannot be run; expected default, linear or llama3");
  if (Object.values(rope.json).some(isObject)) {
    throw new InputError(`${rope.file}: rotary settings by layer type cannot be run: ${JSON.stringify(rope.json)}.`);
  }
  return null;
}

/** A token id field: absent, null, one id or a list of ids. */
export function readTokenIds(value: unknown, field: string, file: string): number[] {
  if (value === undefined || value === null) return [];
  const ids: unknown[] = Array.isArray(value) ? value : [value];
  const isId = (id: unknown): id is number => Number.isSafeInteger(id) && Number(id) >= 0;
  if (ids.every(isId)) return ids;
  throw new InputError(`${file}: ${field} ${JSON.stringify(value)}: expected a token id or a list of them.`);
}

/**
 * The rotation angle per position of each pair (i, i + headSize / 2), scaling applied.
 * Computed in double precision from transformers' modeling_rope_utils.py, rounded once.
 * @returns [headSize / 2]
 */
export function inverseFrequencies(config: ModelConfig): Float32Array<ArrayBuffer> {
  const { headSize, rope } = config;
  const frequencies = new Float32Array(headSize / 2);
  for (let i = 0; i < frequencies.length; i++) frequencies[i] = scaledFrequency(rope.theta ** ((-2 * i) / headSize), i, rope.scaling);
  return frequencies;
}

function scaledFrequency(frequency: number, i: number, scaling: ModelConfig["rope"]["scaling"]): number {
  if (scaling === null) return frequency;
  if (scaling.type === "divisors") return frequency / scaling.divisors[i]!;
  if (scaling.type === "linear") return frequency / scaling.factor;
  // Turns within the original context: many turns stay, few are stretched by the factor, a linear ramp between.
  const turns = (scaling.originalContextLength * frequency) / (2 * Math.PI);
  if (turns > scaling.highFreqFactor) return frequency;
  if (turns < scaling.lowFreqFactor) return frequency / scaling.factor;
  const share = (turns - scaling.lowFreqFactor) / (scaling.highFreqFactor - scaling.lowFreqFactor);
  return (1 - share) * (frequency / scaling.factor) + share * frequency;
}
