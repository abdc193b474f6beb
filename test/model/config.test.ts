import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../../src/input_error.ts";
import { inverseFrequencies, readConfig } from "../../src/model/config.ts";
import { PROJECTIONS, projectionShape, weightShapes } from "../../src/model/weight_shapes.ts";
import { MODELS, readJson, readSafetensors } from "../golden/golden.ts";

type Json = Record<string, unknown>;

interface Expected {
  parameters: number;
  embedding_parameters: number;
  tied: boolean;
  tensors_in_file: number;
  head_dim: number;
  kv_width: number;
  rope: Json & { rope_theta: number; rope_type: string };
  qkv_bias: boolean;
  qk_norm: boolean;
  lora_parameters_per_rank_all_linear: number;
  layer_0: Record<string, number[]>;
}

const expected = readJson<{ readable: Record<string, Expected>; refused: Record<string, string> }>("configs/expected.json");

function product(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

describe("published configs", () => {
  test.each(Object.entries(expected.readable))("%s has its parameters and shapes", (name, want) => {
    const config = readConfig(readJson(`configs/${name}.json`), `${name}.json`);
    const shapes = weightShapes(config);
    expect([...shapes.values()].reduce((sum, shape) => sum + product(shape), 0)).toBe(want.parameters);
    expect(product(shapes.get("model.embed_tokens.weight")!)).toBe(want.embedding_parameters);
    expect(shapes.size).toBe(want.tensors_in_file);
    expect([config.tied, config.headSize, config.kvHeads * config.headSize]).toEqual([want.tied, want.head_dim, want.kv_width]);
    expect([config.qkvBias, config.qkNorm]).toEqual([want.qkv_bias, want.qk_norm]);
    expect([config.rope.theta, config.rope.scaling?.type ?? "default"]).toEqual([want.rope.rope_theta, want.rope.rope_type]);
    const layer0 = [...shapes].filter(([tensor]) => tensor.startsWith("model.layers.0."));
    expect(Object.fromEntries(layer0.map(([tensor, shape]) => [tensor.slice("model.layers.0.".length), shape]))).toEqual(want.layer_0);
    const perRank = PROJECTIONS.map((projection) => projectionShape(config, projection)).reduce(
      (sum, [out, inputs]) => sum + out + inputs,
      0,
    );
    expect(config.layers * perRank).toBe(want.lora_parameters_per_rank_all_linear);
  });

  const reasons: Record<string, string> = {
    "refused-moe": "num_experts 128: a mixture of experts cannot be run.",
    "refused-sliding-window": "use_sliding_window true: layers from 12 on see a sliding window, which cannot be run.",
    "refused-yarn": 'rope_scaling: type "yarn": this rope type cannot be run; expected default, linear or llama3.',
    "refused-gpt2": 'model_type "gpt2": this architecture cannot be run; expected qwen2, llama or qwen3.',
  };
  test.each(Object.keys(expected.refused))("%s is refused, naming field and value", (name) => {
    const read = () => readConfig(readJson(`configs/${name}.json`), `${name}.json`);
    expect(read).toThrow(InputError);
    expect(read).toThrow(`${name}.json: ${reasons[name]}`);
  });
});

describe("golden models", () => {
  test.each(MODELS)("%s is the same in the spelling of transformers 4 and 5, and has the file's tensors", (model) => {
    const config = readConfig(readJson(`models/${model}/config.json`), "config.json");
    expect(readConfig(readJson(`models/${model}/config_v4.json`), "config.json")).toEqual(config);
    const file = [...readSafetensors(`models/${model}/model.safetensors`)].map(([name, { shape }]) => [name, shape] as const);
    expect(new Map(file)).toEqual(weightShapes(config));
    expect(config.eosTokenIds).toEqual([316]);
  });

  test.each(MODELS)("%s has PyTorch's inverse frequencies", (model) => {
    const found = inverseFrequencies(readConfig(readJson(`models/${model}/config.json`), "config.json"));
    const exact = readJson<{ inv_freq_f64: number[] }>(`forward/${model}.json`).inv_freq_f64;
    expect(found).toHaveLength(exact.length);
    exact.forEach((value, i) => {
      expect(Math.abs(found[i]! - value)).toBeLessThanOrEqual(value * 2 ** -23);
    });
  });
});

describe("fields", () => {
  const base = readJson<Json>("models/tiny-llama/config.json");
  const read = (change: Json) => readConfig({ ...base, ...change }, "config.json");

  test("defaults are those of transformers", () => {
    const { num_key_value_heads, head_dim, rope_parameters, tie_word_embeddings, rms_norm_eps, hidden_act, architectures, ...rest } = base;
    expect([num_key_value_heads, head_dim, rope_parameters, tie_word_embeddings, rms_norm_eps, hidden_act, architectures]).not.toContain(
      undefined,
    );
    const config = readConfig(rest, "config.json");
    expect(config).toMatchObject({ kvHeads: 4, headSize: 16, tied: false, normEps: 1e-6, rope: { theta: 10000, scaling: null } });
    expect(readConfig({ ...rest, model_type: "qwen3" }, "config.json").headSize).toBe(128);
  });

  test("attention_bias puts biases on all four projections, Qwen2 has them on three", () => {
    expect(read({ attention_bias: true })).toMatchObject({ qkvBias: true, outputBias: true });
    expect(weightShapes(read({ attention_bias: true })).get("model.layers.0.self_attn.o_proj.bias")).toEqual([64]);
    const qwen = readConfig(readJson("models/tiny-qwen2/config.json"), "config.json");
    expect(qwen).toMatchObject({ qkvBias: true, outputBias: false });
  });

  test("a sliding window that no layer uses is no reason to refuse", () => {
    const qwen = readJson<Json>("configs/Qwen2.5-Coder-0.5B.json");
    expect(readConfig({ ...qwen, use_sliding_window: true, max_window_layers: 24 }, "c").layers).toBe(24);
    expect(readConfig({ ...qwen, use_sliding_window: true, max_window_layers: 0, sliding_window: null }, "c").layers).toBe(24);
    expect(read({ sliding_window: 128 }).layers).toBe(3);
  });

  test("end tokens are one id, a list or none", () => {
    expect(read({ eos_token_id: [1, 2] }).eosTokenIds).toEqual([1, 2]);
    expect(read({ eos_token_id: null }).eosTokenIds).toEqual([]);
    expect(() => read({ eos_token_id: "</s>" })).toThrow('config.json: eos_token_id "</s>": expected a token id or a list of them.');
  });

  const llama3 = { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 256 };
  test.each([
    ["no object", { model_type: undefined }, "model_type is missing"],
    ["another head", { architectures: ["LlamaForSequenceClassification"] }, 'architectures ["LlamaForSequenceClassification"]'],
    ["experts in a Llama", { num_local_experts: 8 }, "num_local_experts 8: a mixture of experts"],
    ["another activation", { hidden_act: "gelu" }, 'hidden_act "gelu": this activation cannot be run; expected silu.'],
    ["a bias in the feed-forward layer", { mlp_bias: true }, "mlp_bias true: this cannot be run; expected false."],
    ["interleaved rotation", { rope_interleaved: true }, "rope_interleaved true"],
    ["packed weights", { quantization_config: { bits: 4 } }, 'quantization_config {"bits":4}'],
    ["windows by layer", { model_type: "qwen3", architectures: null, layer_types: ["full_attention", "sliding_attention"] }, "layer_types"],
    ["a rotation of a part", { partial_rotary_factor: 0.5 }, "partial_rotary_factor 0.5: this cannot be run; expected 1."],
    ["dynamic scaling", { rope_parameters: { rope_type: "dynamic", factor: 2 } }, 'rope_parameters: rope_type "dynamic"'],
    [
      "scaling without a factor",
      { rope_parameters: { rope_type: "linear" } },
      "rope_parameters: factor is missing: expected a number above 0.",
    ],
    [
      "scaling without its context",
      { rope_parameters: { ...llama3, original_max_position_embeddings: null } },
      "original_max_position_embeddings null",
    ],
    [
      "frequencies in reverse",
      { rope_parameters: { ...llama3, high_freq_factor: 1 } },
      "high_freq_factor 1: expected more than low_freq_factor.",
    ],
    ["rotation by layer type", { rope_parameters: { full_attention: { rope_theta: 1 } } }, "rotary settings by layer type cannot be run"],
    ["rotation that is no object", { rope_parameters: 3 }, "rope_parameters 3: expected an object"],
    ["a width that is a text", { hidden_size: "64" }, 'hidden_size "64": expected a whole number of at least 1.'],
    ["no layers", { num_hidden_layers: 0 }, "num_hidden_layers 0: expected a whole number of at least 1."],
    ["an eps of 0", { rms_norm_eps: 0 }, "rms_norm_eps 0: expected a number above 0."],
    [
      "key heads that do not divide the heads",
      { num_key_value_heads: 3 },
      "num_key_value_heads 3: expected a divisor of num_attention_heads 4.",
    ],
    ["a head size that is odd", { head_dim: 15 }, "head_dim 15: expected an even head size, found 15."],
    ["a flag that is none", { tie_word_embeddings: "no" }, 'tie_word_embeddings "no": expected true or false.'],
  ])("%s is refused", (_, change, message) => {
    expect(() => read(change)).toThrow(message);
    expect(() => read(change)).toThrow(/^config\.json: [^\n]+\.$/);
  });

  test("any value in any field gives a config of whole numbers or one sentence", () => {
    const field = fc.constantFrom(...Object.keys(base), "rope_scaling", "rope_theta", "layer_types", "num_experts", "use_sliding_window");
    fc.assert(
      fc.property(field, fc.jsonValue(), (name, value) => {
        try {
          const { C, F, layers, heads, kvHeads, headSize, vocabulary, contextLength } = read({ [name]: value });
          expect([C, F, layers, heads, kvHeads, headSize, vocabulary, contextLength].every((n) => Number.isSafeInteger(n) && n > 0)).toBe(
            true,
          );
        } catch (error) {
          if (!(error instanceof InputError)) throw error;
          expect(error.message.startsWith("config.json: ")).toBe(true);
        }
      }),
      { numRuns: 3000, seed: 5 },
    );
  });

  test("what is no object is refused", () => {
    for (const json of [null, [], 3, "x"]) expect(() => readConfig(json, "config.json")).toThrow("config.json: expected an object");
  });
});
