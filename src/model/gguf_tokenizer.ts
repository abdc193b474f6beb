// tokenizer.json and tokenizer_config.json from a GGUF file's metadata. Its byte-level BPE is all there but for the rule that splits
// a text into words: of that the metadata has only the name. The rules below are those of the models' published tokenizer.json.

import { InputError } from "../input_error.ts";
import type { GgufMetadata } from "./gguf_metadata.ts";

interface WordRule {
  readonly split: readonly object[];
  readonly normalizer?: object;
  /** A word that is a token is not merged. */
  readonly ignoreMerges?: boolean;
}

const splitBy = (Regex: string) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false });
const DIGITS = { type: "Digits", individual_digits: true };
const bytes = (use_regex: boolean) => ({ type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex });

const WORD_RULES: Readonly<Record<string, WordRule>> = {
  "gpt-2": { split: [bytes(true)] },
  smollm: { split: [DIGITS, bytes(true)] },
  qwen2: {
    normalizer: { type: "NFC" },
    split: [
      splitBy(
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
      ),
      bytes(false),
    ],
  },
  "llama-bpe": {
    ignoreMerges: true,
    split: [
      splitBy(
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
      ),
      bytes(false),
    ],
  },
  "deepseek-coder": {
    split: [splitBy("[\\r\\n]"), splitBy("\\s?\\p{L}+"), splitBy("\\s?\\p{P}+"), splitBy("[一-龥ࠀ-一가-퟿]+"), DIGITS, bytes(false)],
  },
};

const CONTROL = 3;
const USER_DEFINED = 4;

/**
 * The content of tokenizer.json.
 * @throws InputError for a tokenizer that is no byte-level BPE, or splits words by an unknown rule
 */
export function ggufTokenizer(metadata: GgufMetadata): object {
  const model = metadata.get("tokenizer.ggml.model");
  if (model !== "gpt2") {
    throw new InputError(
      `${metadata.file}: expected a byte-level BPE tokenizer (tokenizer.ggml.model gpt2), found ${model ?? "none"}: load the model's Hugging Face folder instead.`,
    );
  }
  const pre = metadata.get("tokenizer.ggml.pre") ?? "none";
  const rule = typeof pre === "string" && Object.hasOwn(WORD_RULES, pre) ? WORD_RULES[pre]! : null;
  if (!rule || typeof pre !== "string") {
    throw new InputError(
      `${metadata.file}: tokenizer.ggml.pre says ${pre}, and without it words cannot be told apart; expected ${Object.keys(WORD_RULES).join(", ")}: load the model's Hugging Face folder instead.`,
    );
  }
  const tokens = metadata.strings("tokenizer.ggml.tokens");
  return {
    version: "1.0",
    added_tokens: addedTokens(metadata, tokens),
    normalizer: rule.normalizer ?? null,
    pre_tokenizer: { type: "Sequence", pretokenizers: rule.split },
    post_processor: beginning(metadata, pre, tokens),
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: rule.ignoreMerges ?? false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: metadata.strings("tokenizer.ggml.merges").map((merge) => merge.split(" ")),
    },
  };
}

function addedTokens(metadata: GgufMetadata, tokens: readonly string[]): object[] {
  const kinds = metadata.get("tokenizer.ggml.token_type");
  if (!Array.isArray(kinds)) return [];
  return tokens.flatMap((content, id) => {
    if (kinds[id] !== CONTROL && kinds[id] !== USER_DEFINED) return [];
    return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: kinds[id] === CONTROL }];
  });
}

/** Puts the first token before a text where the file says so; without a word, Llama 3's tokenizer does. */
function beginning(metadata: GgufMetadata, pre: string, tokens: readonly string[]): object | null {
  const id = metadata.get("tokenizer.ggml.bos_token_id");
  const adds = metadata.get("tokenizer.ggml.add_bos_token") ?? pre === "llama-bpe";
  if (adds !== true || typeof id !== "number") return null;
  const token = tokens[id]!;
  const first = { SpecialToken: { id: token, type_id: 0 } };
  const text = (name: string) => ({ Sequence: { id: name, type_id: 0 } });
  return {
    type: "TemplateProcessing",
    single: [first, text("A")],
    pair: [first, text("A"), first, text("B")],
    special_tokens: { [token]: { id: token, ids: [id], tokens: [token] } },
  };
}

/** The content of tokenizer_config.json: the special tokens by name, and the chat template. */
export function ggufTokenizerConfig(metadata: GgufMetadata): object {
  const tokens = metadata.strings("tokenizer.ggml.tokens");
  const named = Object.entries({ bos: "bos", eos: "eos", unknown: "unk", padding: "pad" }).flatMap(([theirs, name]) => {
    const id = metadata.get(`tokenizer.ggml.${theirs}_token_id`);
    return typeof id === "number" && tokens[id] !== undefined ? [[`${name}_token`, tokens[id]] as const] : [];
  });
  return { ...Object.fromEntries(named), chat_template: metadata.get("tokenizer.chat_template") ?? null };
}
