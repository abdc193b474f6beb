// A GGUF file as the Hugging Face folder that it stands for, so that nothing behind this file knows of the format: config and
// tokenizer are made from the metadata; tensors have Hugging Face's names, shapes and order of rows. Source of names and orders:
// llama.cpp's convert_hf_to_gguf.py, read backwards.

import { InputError } from "../input_error.ts";
import type { ModelFiles, StoredTensor } from "./files.ts";
import { dequantise } from "./gguf_blocks.ts";
import { type GgufHeader, type GgufTensor, readGgufHeader } from "./gguf_header.ts";
import { GgufMetadata } from "./gguf_metadata.ts";
import { ggufTokenizer, ggufTokenizerConfig } from "./gguf_tokenizer.ts";
import { type ByteSource, bytesSource } from "./safetensors.ts";

/** GGUF's names in a block, and Hugging Face's in a layer. */
const IN_BLOCK: Readonly<Record<string, string>> = {
  attn_norm: "input_layernorm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  attn_q_norm: "self_attn.q_norm",
  attn_k_norm: "self_attn.k_norm",
  ffn_norm: "post_attention_layernorm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
};

const EMBEDDING = "token_embd.weight";
const OUTPUT = "output.weight";
const ROPE_FREQUENCIES = "rope_freqs.weight";
const OUTPUT_BIAS = "blk.0.attn_output.bias";

/** A GGUF file that was opened. As ModelFiles it has config.json, tokenizer.json and tokenizer_config.json. */
export class GgufFolder implements ModelFiles {
  readonly id: string;
  /** The weights by their Hugging Face names. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  #files: ReadonlyMap<string, () => unknown>;

  private constructor(id: string, tensors: ReadonlyMap<string, StoredTensor>, files: ReadonlyMap<string, () => unknown>) {
    this.id = id;
    this.tensors = tensors;
    this.#files = files;
  }

  /**
   * Opens a file and checks its header; reads no weights but a few rows.
   * @throws InputError for another format, architecture, type of tensor or tokenizer, or a file that ends early
   */
  static async open(id: string, source: ByteSource): Promise<GgufFolder> {
    const header = await readGgufHeader(source);
    const metadata = new GgufMetadata(source.name, header.metadata);
    const parts = metadata.get("split.count");
    if (typeof parts === "number" && parts > 1)
      throw new InputError(
        `${source.name} is one of ${parts} parts: join them (llama-gguf-split --merge), or load the model's Hugging Face folder.`,
      );
    refuseUnknown(source.name, header, metadata);
    const tied = await isTied(source, header);
    const tensors = storedTensors(source, header, metadata, tied);
    const config = await huggingFaceConfig(source, header, metadata, tied);
    const files = new Map<string, () => unknown>([
      ["config.json", () => config],
      ["tokenizer.json", () => ggufTokenizer(metadata)],
      ["tokenizer_config.json", () => ggufTokenizerConfig(metadata)],
    ]);
    return new GgufFolder(id, tensors, files);
  }

  async open(path: string): Promise<ByteSource | null> {
    const content = this.#files.get(path);
    return content ? bytesSource(path, new TextEncoder().encode(JSON.stringify(content()))) : null;
  }
}

/** A tensor that this model type does not have, as it is run here, would change its numbers by being left out. */
function refuseUnknown(file: string, { tensors }: GgufHeader, metadata: GgufMetadata): void {
  const attentionBias = metadata.architecture === "qwen2" ? ["attn_q", "attn_k", "attn_v"] : ["attn_q", "attn_k", "attn_v", "attn_output"];
  const biases = metadata.architecture === "qwen2" || tensors.has(OUTPUT_BIAS) ? attentionBias : [];
  const isKnown = (name: string) => {
    const [, part = "", leaf] = /^blk\.\d+\.(\w+)\.(weight|bias)$/.exec(name) ?? [];
    if (leaf === undefined) return [EMBEDDING, OUTPUT, "output_norm.weight", ROPE_FREQUENCIES].includes(name);
    return leaf === "weight" ? Object.hasOwn(IN_BLOCK, part) : biases.includes(part);
  };
  const unknown = [...tensors.keys()].find((name) => !isKnown(name));
  if (unknown !== undefined)
    throw new InputError(`${file}: tensor "${unknown}" is none that a ${metadata.architecture} model has here: it cannot be run.`);
}

/** In the file. A tensor of one dimension is one row. */
const rowBytes = ({ type, shape }: GgufTensor): number => (shape.at(-1)! / type.values) * type.bytes;

/** Rows [from, to) as they lie in the file. */
async function readStoredRows(source: ByteSource, tensor: GgufTensor, from: number, to: number): Promise<Float32Array<ArrayBuffer>> {
  const bytes = rowBytes(tensor);
  return dequantise(tensor.type, await source.slice(tensor.begin + from * bytes, tensor.begin + to * bytes));
}

/**
 * Whether head and embedding are one matrix: no head is stored, or it is the embedding but for rounding (files of tied models may
 * carry it twice, each rounded in its own way). Told by 64 rows spread over the vocabulary.
 */
async function isTied(source: ByteSource, { tensors }: GgufHeader): Promise<boolean> {
  const embedding = tensors.get(EMBEDDING);
  const output = tensors.get(OUTPUT);
  if (!embedding || !output) return true;
  const rows = embedding.shape[0]!;
  if (output.shape.join() !== embedding.shape.join()) return false;
  let difference = 0;
  let power = 0;
  for (let i = 0; i < Math.min(64, rows); i++) {
    const row = Math.floor((i * rows) / Math.min(64, rows));
    const a = await readStoredRows(source, embedding, row, row + 1);
    const b = await readStoredRows(source, output, row, row + 1);
    b.forEach((value, k) => {
      difference += (value - a[k]!) ** 2;
      power += value ** 2;
    });
  }
  return difference < 0.01 * power;
}

function storedTensors(source: ByteSource, { tensors }: GgufHeader, metadata: GgufMetadata, tied: boolean): Map<string, StoredTensor> {
  const stored = new Map<string, StoredTensor>();
  for (const [name, tensor] of tensors) {
    if (name === ROPE_FREQUENCIES || (tied && name === EMBEDDING && tensors.has(OUTPUT))) continue; // of the two the head is the finer one
    const permuted = metadata.architecture === "llama" ? permutedHeads(name, metadata) : null;
    stored.set(huggingFaceName(name, tied), {
      source,
      dtype: tensor.type.name,
      shape: tensor.shape,
      readRows: (from, to) =>
        permuted === null ? readStoredRows(source, tensor, from, to) : readPermutedRows(source, tensor, permuted, from, to),
    });
  }
  return stored;
}

function huggingFaceName(name: string, tied: boolean): string {
  if (name === EMBEDDING) return "model.embed_tokens.weight";
  if (name === OUTPUT) return tied ? "model.embed_tokens.weight" : "lm_head.weight";
  if (name === "output_norm.weight") return "model.norm.weight";
  const [, layer, part = "", leaf] = /^blk\.(\d+)\.(\w+)\.(weight|bias)$/.exec(name) ?? [];
  return `model.layers.${layer}.${IN_BLOCK[part]}.${leaf}`;
}

/** The heads of llama's q and k, whose rows are stored in another order; null for other tensors. */
function permutedHeads(name: string, metadata: GgufMetadata): number | null {
  if (/^blk\.\d+\.attn_q\.(weight|bias)$/.test(name)) return metadata.number(".attention.head_count");
  if (/^blk\.\d+\.attn_k\.(weight|bias)$/.test(name)) return kvHeads(metadata);
  return null;
}

const kvHeads = (metadata: GgufMetadata): number =>
  typeof metadata.get(".attention.head_count_kv") === "number"
    ? metadata.number(".attention.head_count_kv")
    : metadata.number(".attention.head_count");

/** Of a head of D rows, stored row 2i is row i and stored row 2i + 1 is row i + D / 2: the halves of a rotary pair side by side. */
async function readPermutedRows(source: ByteSource, tensor: GgufTensor, heads: number, from: number, to: number) {
  const [rows, width] = [tensor.shape[0]!, tensor.shape[1] ?? 1];
  const D = rows / heads;
  const [begin, end] = tensor.shape.length === 1 ? [0, rows] : [from, to]; // a bias is read whole: each value is a row's
  const first = Math.floor(begin / D) * D; // whole heads
  const last = Math.ceil(end / D) * D;
  const stored = tensor.shape.length === 1 ? await readStoredRows(source, tensor, 0, 1) : await readStoredRows(source, tensor, first, last);
  const out = new Float32Array((end - begin) * width);
  for (let row = begin; row < end; row++) {
    const i = row % D;
    const at = row - i + (i < D / 2 ? 2 * i : 2 * i - D + 1) - first;
    out.set(stored.subarray(at * width, (at + 1) * width), (row - begin) * width);
  }
  return out;
}

/** What config.json would say, in the spelling of transformers 4. */
async function huggingFaceConfig(source: ByteSource, { tensors }: GgufHeader, metadata: GgufMetadata, tied: boolean) {
  const heads = metadata.number(".attention.head_count");
  const C = metadata.number(".embedding_length");
  const vocabulary = tensors.get(EMBEDDING)?.shape[0];
  if (vocabulary === undefined) throw new InputError(`${metadata.file}: expected tensor "${EMBEDDING}", found none.`);
  return {
    model_type: metadata.architecture,
    hidden_size: C,
    intermediate_size: metadata.number(".feed_forward_length"),
    num_hidden_layers: metadata.number(".block_count"),
    num_attention_heads: heads,
    num_key_value_heads: kvHeads(metadata),
    head_dim: metadata.get(".attention.key_length") ?? C / heads,
    vocab_size: vocabulary,
    max_position_embeddings: metadata.number(".context_length"),
    rms_norm_eps: Number(metadata.number(".attention.layer_norm_rms_epsilon").toPrecision(6)), // float32 of 1e-5 or 1e-6
    attention_bias: tensors.has(OUTPUT_BIAS),
    tie_word_embeddings: tied,
    eos_token_id: endTokens(metadata),
    rope_theta: metadata.get(".rope.freq_base") ?? 10000,
    rope_scaling: await ropeScaling(source, tensors.get(ROPE_FREQUENCIES), metadata),
  };
}

function endTokens(metadata: GgufMetadata): number[] {
  const ids = ["eos", "eot", "eom"].map((name) => metadata.get(`tokenizer.ggml.${name}_token_id`));
  return [...new Set(ids.filter((id) => typeof id === "number"))];
}

/** llama3's scaling lies in a tensor: what each inverse frequency is divided by. Others are metadata. */
async function ropeScaling(source: ByteSource, divisors: GgufTensor | undefined, metadata: GgufMetadata): Promise<object | null> {
  if (divisors) return { rope_type: "divisors", divisors: [...(await readStoredRows(source, divisors, 0, 1))] };
  const old = metadata.get(".rope.scale_linear"); // before there were types
  if (typeof old === "number" && old !== 1) return { rope_type: "linear", factor: old };
  const type = metadata.get(".rope.scaling.type") ?? "none";
  if (type === "none") return null;
  return { rope_type: type, factor: metadata.get(".rope.scaling.factor") };
}
