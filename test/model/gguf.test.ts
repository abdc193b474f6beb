import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { InputError } from "../../src/input_error.ts";
import { inverseFrequencies, readConfig } from "../../src/model/config.ts";
import { readJson as readModelJson } from "../../src/model/files.ts";
import { GgufFolder } from "../../src/model/gguf.ts";
import { dequantise, TENSOR_TYPES } from "../../src/model/gguf_blocks.ts";
import { GgufMetadata } from "../../src/model/gguf_metadata.ts";
import { ggufTokenizer } from "../../src/model/gguf_tokenizer.ts";
import { bytesSource } from "../../src/model/safetensors.ts";
import { loadTokenizer } from "../../src/model/tokenizer.ts";
import { weightShapes } from "../../src/model/weight_shapes.ts";
import { openWeights } from "../../src/model/weights.ts";
import { readBytes, readJson } from "../golden/golden.ts";

interface Expected {
  sequences: number[][];
  label_logps: number[][];
  text: { text: string; ids: number[] };
  sha256: Record<string, { shape: number[]; sha256: string }>;
  config: Record<string, unknown>;
}

const expected = readJson<Record<string, Expected>>("gguf/expected.json");
const NAMES = Object.keys(expected);
const fileOf = (name: string) => readBytes(`gguf/${name}.gguf`);
const open = (bytes: Uint8Array) => GgufFolder.open("m", bytesSource("m.gguf", bytes));
const hash = (values: Float32Array) => createHash("sha256").update(new Uint8Array(values.buffer)).digest("hex");

describe("blocks", () => {
  const blocks = readJson<Record<string, { bytes: string; values: number[] }[]>>("gguf/blocks.json");
  test.each(Object.keys(blocks))("%s has the gguf package's values, to the bit", (name) => {
    const type = [...TENSOR_TYPES.values()].find((t) => t.name === name)!;
    for (const { bytes, values } of blocks[name]!) {
      expect(dequantise(type, new Uint8Array(Buffer.from(bytes, "hex")))).toEqual(Float32Array.from(values));
    }
  });

  test("several blocks follow one another, and plain types are read from odd places", () => {
    const type = (name: string) => [...TENSOR_TYPES.values()].find((t) => t.name === name)!;
    const bytes = new Uint8Array([9, 0, 0, 192, 63, 0, 0, 0, 192]).subarray(1); // 1.5 and -2 as float32, not on a boundary of four
    expect([...dequantise(type("F32"), bytes)]).toEqual([1.5, -2]);
    expect([...dequantise(type("BF16"), bytes)]).toEqual([0, 1.5, 0, -2]);
    expect([...dequantise(type("F16"), new Uint8Array([0, 0x3e, 1, 0, 0, 0xfc]))]).toEqual([1.5, 2 ** -24, -Infinity]);
  });
});

describe("files", () => {
  test.each(NAMES)("%s has the weights of its Hugging Face folder, to the bit: names, shapes, types, order of rows", async (name) => {
    const folder = await open(fileOf(name));
    const weights = await openWeights(folder);
    for (const [tensor, { shape, sha256 }] of Object.entries(expected[name]!.sha256)) {
      expect(hash(await weights.readF32(tensor, shape)), tensor).toBe(sha256);
    }
    expect([...folder.tensors.keys()].sort()).toEqual(Object.keys(expected[name]!.sha256).sort());
  });

  test.each(NAMES)("%s: some rows are those rows of the whole", async (name) => {
    const weights = await openWeights(await open(fileOf(name)));
    for (const tensor of [
      "model.layers.0.self_attn.q_proj.weight",
      "model.layers.0.self_attn.k_proj.weight",
      "model.embed_tokens.weight",
    ]) {
      const { shape } = expected[name]!.sha256[tensor]!;
      const whole = await weights.readF32(tensor, shape);
      const columns = shape[1]!;
      for (const [from, to] of [
        [0, 1],
        [5, 23],
        [31, 32],
      ] as const) {
        expect(await weights.readF32(tensor, shape, [from, to])).toEqual(whole.slice(from * columns, to * columns));
      }
    }
  });

  test.each(NAMES)("%s has the config of its folder", async (name) => {
    const config = readConfig(await readModelJson(await open(fileOf(name)), "config.json"), "m.gguf/config.json");
    const want = readConfig(expected[name]!.config, "config.json");
    expect({ ...config, rope: null, contextLength: 0 }).toEqual({ ...want, rope: null, contextLength: 0 });
    expect(config.rope.theta).toBe(want.rope.theta);
    inverseFrequencies(want).forEach((frequency, i) => {
      expect(inverseFrequencies(config)[i]! / frequency).toBeCloseTo(1, 6); // the file's divisors are float32
    });
    expect([...weightShapes(config).keys()].sort()).toEqual(Object.keys(expected[name]!.sha256).sort());
  });

  test.each(NAMES)("%s has a tokenizer with its end token and chat template", async (name) => {
    const { text, ids } = expected[name]!.text;
    const tokenizer = await loadTokenizer(await open(fileOf(name)));
    expect(tokenizer.encode(text, { addSpecial: true })).toEqual(ids);
    expect([tokenizer.eosTokenId, tokenizer.eosToken]).toEqual([316, "<|endoftext|>"]);
    expect(tokenizer.renderChat([{ role: "user", content: "hi" }], true)).toBe("<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
  });
});

/** A small GGUF file: texts and numbers as metadata, F32 tensors of zeros by shape. */
function gguf(
  metadata: Record<string, string | number>,
  tensors: Record<string, number[]>,
  { version = 3, type = 0, alignment = 32 } = {},
) {
  const parts: Buffer[] = [];
  const u32 = (value: number) => parts.push(Buffer.from(Uint32Array.of(value).buffer));
  const u64 = (value: number) => parts.push(Buffer.from(BigUint64Array.of(BigInt(value)).buffer));
  const text = (value: string) => {
    u64(Buffer.byteLength(value));
    parts.push(Buffer.from(value));
  };
  parts.push(Buffer.from("GGUF"));
  u32(version);
  u64(Object.keys(tensors).length);
  u64(Object.keys(metadata).length);
  for (const [key, value] of Object.entries(metadata)) {
    text(key);
    u32(typeof value === "string" ? 8 : 4);
    if (typeof value === "string") text(value);
    else u32(value);
  }
  let offset = 0;
  for (const [name, shape] of Object.entries(tensors)) {
    text(name);
    u32(shape.length);
    for (const size of shape.toReversed()) u64(size);
    u32(type);
    u64(offset);
    offset += Math.ceil((4 * shape.reduce((a, b) => a * b, 1)) / alignment) * alignment;
  }
  const header = Buffer.concat(parts);
  return new Uint8Array(Buffer.concat([header, Buffer.alloc(-header.length & (alignment - 1)), Buffer.alloc(offset)]));
}

describe("refused, in one sentence", () => {
  const llama = { "general.architecture": "llama" };
  const table = { "token_embd.weight": [4, 32] };
  test.each([
    [
      "another architecture",
      readBytes("gguf/refused-architecture.gguf"),
      "the architecture gpt2 cannot be run; expected llama, qwen2 or qwen3.",
    ],
    ["another type of tensor", readBytes("gguf/refused-type.gguf"), 'tensor "token_embd.weight": type IQ2_XS is not read; take a file of'],
    ["a file that ends within its tensors", fileOf("tiny-llama").subarray(0, 12000), "the file is truncated."],
    ["a file that ends within its header", fileOf("tiny-llama").subarray(0, 3000), "the file ends within its header: it is truncated."],
    ["an empty file", new Uint8Array(0), "the file ends within its header"],
    ["something else", new TextEncoder().encode('{"a": 1, "b": 2}'), 'expected it to begin with "GGUF".'],
    ["another version", gguf(llama, table, { version: 1 }), "expected GGUF version 2 or 3, found 1."],
    [
      "rows that are no whole blocks",
      gguf(llama, { "token_embd.weight": [4, 40] }, { type: 8 }),
      "expected rows of whole blocks of 32 for type Q8_0",
    ],
    ["no architecture", gguf({}, table), "the architecture (none) cannot be run"],
    [
      "a bias that llama does not have",
      gguf(llama, { ...table, "blk.0.attn_q.bias": [4] }),
      'tensor "blk.0.attn_q.bias" is none that a llama',
    ],
    ["a tensor of another model", gguf(llama, { ...table, "blk.0.ssm_in.weight": [4, 32] }), 'tensor "blk.0.ssm_in.weight" is none that a'],
    ["one of several parts", gguf({ ...llama, "split.count": 3 }, table), "m.gguf is one of 3 parts: join them"],
    ["a Git LFS pointer", new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\noid sha256:1\n"), "is a Git LFS pointer"],
    ["no layers in the metadata", gguf(llama, table), "expected llama.attention.head_count, a number, in the metadata, found none."],
    [
      "no embedding",
      gguf({ ...llama, "llama.attention.head_count": 4, "llama.embedding_length": 32 }, {}),
      'expected tensor "token_embd.weight"',
    ],
  ])("%s", async (_, bytes, message) => {
    const refused = open(bytes);
    await expect(refused).rejects.toThrow(InputError);
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toThrow(/^m\.gguf:? [^\n]+\.$/);
  });

  test("cut at any byte it is one sentence, before the first tensor is read", async () => {
    const bytes = fileOf("tiny-llama3");
    for (let length = 0; length < bytes.length; length += 997) await expect(open(bytes.subarray(0, length))).rejects.toThrow(InputError);
  });

  test.each([
    ["tokenizer.ggml.model", "llama", "expected a byte-level BPE tokenizer (tokenizer.ggml.model gpt2), found llama"],
    ["tokenizer.ggml.pre", "tekken", "tokenizer.ggml.pre says tekken, and without it words cannot be told apart; expected gpt-2"],
    ["tokenizer.ggml.tokens", [], "tokenizer.ggml.pre says none, and without it"],
  ])("a tokenizer of another kind: %s", (key, value, message) => {
    const metadata = new GgufMetadata("m.gguf", new Map(Object.entries({ ...llama, "tokenizer.ggml.model": "gpt2", [key]: value })));
    expect(() => ggufTokenizer(metadata)).toThrow(message);
  });
});

describe("what the metadata says", () => {
  const minimal = {
    "general.architecture": "llama",
    "llama.attention.head_count": 2,
    "llama.embedding_length": 32,
    "llama.feed_forward_length": 32,
    "llama.block_count": 1,
    "llama.context_length": 64,
    "llama.attention.layer_norm_rms_epsilon": 1,
  };
  const configOf = async (metadata: Record<string, string | number>, tensors: Record<string, number[]> = {}) =>
    readModelJson(await open(gguf({ ...minimal, ...metadata }, { "token_embd.weight": [4, 32], ...tensors })), "config.json");

  test("linear scaling, yarn (which is refused), key length and end tokens", async () => {
    const linear = { "llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4 };
    expect(readConfig(await configOf(linear), "c").rope.scaling).toEqual({ type: "linear", factor: 4 });
    expect(readConfig(await configOf({ "llama.rope.scale_linear": 4 }), "c").rope.scaling).toEqual({ type: "linear", factor: 4 });
    const yarn = await configOf({ "llama.rope.scaling.type": "yarn" });
    expect(() => readConfig(yarn, "c")).toThrow("this rope type cannot be run");
    expect(await configOf({ "llama.attention.key_length": 8 })).toMatchObject({
      head_dim: 8,
      num_key_value_heads: 2,
      attention_bias: false,
    });
    const ends = { "tokenizer.ggml.eos_token_id": 3, "tokenizer.ggml.eot_token_id": 1 };
    expect(await configOf(ends)).toMatchObject({ eos_token_id: [3, 1] });
  });

  test("a head of its own is kept, one that is the embedding again is not", async () => {
    expect(await configOf({}, { "output.weight": [4, 32] })).toMatchObject({ tie_word_embeddings: false }); // zeros tell nothing
    const bytes = gguf(minimal, { "token_embd.weight": [4, 32], "output.weight": [4, 32] });
    const data = new Float32Array(256).map((_, i) => (i % 128) + (i < 128 ? 0.01 : 0)); // twice the same but for rounding
    bytes.set(new Uint8Array(data.buffer), bytes.length - data.byteLength);
    const tied = await open(bytes);
    expect(await readModelJson(tied, "config.json")).toMatchObject({ tie_word_embeddings: true });
    expect(await (await openWeights(tied)).readF32("model.embed_tokens.weight", [4, 32], [0, 1])).toEqual(data.slice(128, 160)); // the head's
    data[200] = 1e4;
    bytes.set(new Uint8Array(data.buffer), bytes.length - data.byteLength);
    expect([...(await open(bytes)).tensors.keys()]).toEqual(["model.embed_tokens.weight", "lm_head.weight"]);
  });
});
