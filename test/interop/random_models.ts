// Models and adapters that the interop tests have made at random: shapes, families and settings that no golden file has.

export interface RandomModel {
  name: string;
  /** transformers' configuration; what is left out has transformers' default. */
  config: Record<string, unknown> & { model_type: "qwen2" | "llama" | "qwen3" };
  /** PEFT's. */
  lora: { r: number; lora_alpha: number; target_modules: string[] | "all-linear"; use_rslora?: boolean };
  /** How the weights are stored; the computing is float32. */
  dtype?: "float32" | "float16" | "bfloat16";
}

const shape = (C: number, F: number, heads: number, kvHeads: number, layers: number, vocabulary: number) => ({
  hidden_size: C,
  intermediate_size: F,
  num_attention_heads: heads,
  num_key_value_heads: kvHeads,
  num_hidden_layers: layers,
  vocab_size: vocabulary,
  max_position_embeddings: 256,
});

export const RANDOM_MODELS: readonly RandomModel[] = [
  {
    name: "qwen2-untied-mha",
    config: { model_type: "qwen2", ...shape(60, 92, 5, 5, 2, 321), tie_word_embeddings: false },
    lora: { r: 1, lora_alpha: 3, target_modules: ["k_proj"] },
  },
  {
    name: "qwen2-tied-multi-query",
    config: { model_type: "qwen2", ...shape(96, 36, 6, 1, 1, 500), tie_word_embeddings: true, rms_norm_eps: 1e-5 },
    lora: { r: 13, lora_alpha: 2, target_modules: "all-linear", use_rslora: true },
    dtype: "bfloat16",
  },
  {
    name: "llama-biases",
    config: { model_type: "llama", ...shape(48, 116, 4, 2, 3, 333), attention_bias: true, tie_word_embeddings: true },
    lora: { r: 6, lora_alpha: 12, target_modules: ["o_proj", "up_proj"] },
    dtype: "float16",
  },
  {
    name: "llama-linear-wide-heads",
    config: {
      model_type: "llama",
      ...shape(40, 200, 2, 2, 2, 401),
      head_dim: 36,
      rope_parameters: { rope_type: "linear", rope_theta: 5000, factor: 3.5 },
    },
    lora: { r: 3, lora_alpha: 5.5, target_modules: ["q_proj", "o_proj", "down_proj"], use_rslora: true },
  },
  {
    name: "llama3-scaling",
    config: {
      model_type: "llama",
      ...shape(64, 128, 4, 1, 2, 350),
      rope_parameters: {
        rope_type: "llama3",
        rope_theta: 500000,
        factor: 8,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: 64,
      },
    },
    lora: { r: 16, lora_alpha: 16, target_modules: ["gate_proj", "v_proj"] },
  },
  {
    name: "qwen3-small-heads",
    config: { model_type: "qwen3", ...shape(56, 76, 7, 7, 2, 340), head_dim: 12, tie_word_embeddings: true },
    lora: { r: 2, lora_alpha: 8, target_modules: ["q_proj", "k_proj", "v_proj"] },
  },
  {
    name: "qwen3-biases",
    config: { model_type: "qwen3", ...shape(32, 64, 4, 2, 2, 322), head_dim: 20, attention_bias: true },
    lora: { r: 7, lora_alpha: 7, target_modules: "all-linear" },
  },
];
