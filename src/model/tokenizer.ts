// A model's tokenizer and chat template, by Hugging Face's own libraries; here are only the end token and where the template lies.

import { Template } from "@huggingface/jinja";
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { InputError } from "../input_error.ts";
import { readTokenIds } from "./config.ts";
import { type ModelFiles, readJson, readText } from "./files.ts";

export interface ChatMessage {
  role: string;
  content: string;
}

export interface Tokenizer {
  /**
   * Token ids of a text; special tokens in it become their ids. `addSpecial` puts before and after it what the tokenizer's own
   * post-processor says (Llama's first token; nothing for Qwen): for a text that no chat template wrote.
   */
  encode(text: string, options?: { addSpecial?: boolean }): number[];
  /** The text of token ids; bytes that are no UTF-8 become U+FFFD. */
  decode(ids: readonly number[], options?: { skipSpecial?: boolean }): string;
  readonly eosTokenId: number;
  readonly eosToken: string;
  /** Every token at which an answer ends: eosTokenId, and what generation_config.json names beside it. */
  readonly endTokenIds: readonly number[];
  /** The Jinja template, or null where the model has none. */
  readonly chatTemplate: string | null;
  /** Messages as the model's own template writes them. Throws an InputError where there is no template or it refuses the messages. */
  renderChat(messages: readonly ChatMessage[], addGenerationPrompt: boolean): string;
}

/**
 * Messages as a prompt for `encode` with addSpecial: without the first token where the tokenizer itself puts it (Llama 3, DeepSeek-Coder),
 * or it would stand there twice.
 */
export function chatPrompt(tokenizer: Tokenizer, messages: readonly ChatMessage[]): string {
  const text = tokenizer.renderChat(messages, true);
  const first = tokenizer.decode(tokenizer.encode("", { addSpecial: true }).slice(0, 1));
  return text.startsWith(first) ? text.slice(first.length) : text;
}

type Json = Record<string, unknown>;

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Reads tokenizer.json and, where they are there, tokenizer_config.json, chat_template.jinja, generation_config.json and config.json.
 * The end token is the tokenizer's eos_token, as TRL appends it; without one, the first that the other two configs name.
 * A folder without tokenizer.json gets a tokenizer that refuses every text: token ids can still be run.
 * @throws InputError where the tokenizer is not usable
 */
export async function loadTokenizer(files: ModelFiles): Promise<Tokenizer> {
  const json = await readJson(files, "tokenizer.json");
  if (json === null) return withoutTokenizer(files.id);
  if (!isObject(json)) throw new InputError(`${files.id}: tokenizer.json: expected an object.`);
  const settings = (await readJson(files, "tokenizer_config.json")) ?? {};
  if (!isObject(settings)) throw new InputError(`${files.id}: tokenizer_config.json: expected an object.`);
  const inner = createTokenizer(files.id, json, settings);
  const { eosToken, eosTokenId } = await findEndToken(files, inner, settings);
  const chatTemplate = await findChatTemplate(files, settings);
  const generation = await readJson(files, "generation_config.json");
  const alsoEnds = isObject(generation) ? readTokenIds(generation.eos_token_id, "eos_token_id", "generation_config.json") : [];
  return {
    encode: (text, options) => usable(files.id, () => inner.encode(text, { add_special_tokens: options?.addSpecial ?? false }).ids),
    decode: (ids, options) =>
      ids.length === 0
        ? ""
        : usable(files.id, () =>
            inner.decode([...ids], { skip_special_tokens: options?.skipSpecial ?? false, clean_up_tokenization_spaces: false }),
          ),
    eosToken,
    eosTokenId,
    endTokenIds: [...new Set([eosTokenId, ...alsoEnds])],
    chatTemplate,
    renderChat: (messages, addGenerationPrompt) => renderChat(files.id, chatTemplate, { messages, addGenerationPrompt, settings }),
  };
}

/** Refuses texts; the text of token ids is empty. */
function withoutTokenizer(id: string): Tokenizer {
  const refuse = () => {
    throw new InputError(`${id} has no tokenizer.json: add it, or give token ids (prompt_ids, chosen_ids, rejected_ids; --prompt-ids).`);
  };
  return {
    encode: refuse,
    decode: () => "",
    get eosToken() {
      return refuse();
    },
    get eosTokenId() {
      return refuse();
    },
    endTokenIds: [],
    chatTemplate: null,
    renderChat: refuse,
  };
}

const createTokenizer = (id: string, json: Json, settings: Json): HuggingFaceTokenizer =>
  usable(id, () => new HuggingFaceTokenizer(json, settings));

/** The library finds some faults of tokenizer.json only in use. @throws InputError in place of whatever else `use` throws */
function usable<T>(id: string, use: () => T): T {
  try {
    return use();
  } catch (error) {
    throw new InputError(`${id}: tokenizer.json cannot be used: ${error instanceof Error ? error.message : error}.`);
  }
}

/** A token's text: a string, or an added token's object in older files. */
function tokenText(value: unknown): string | null {
  const text = isObject(value) ? value.content : value;
  return typeof text === "string" ? text : null;
}

async function findEndToken(files: ModelFiles, inner: HuggingFaceTokenizer, settings: Json) {
  const named = tokenText(settings.eos_token);
  if (named !== null) {
    const eosTokenId = inner.token_to_id(named);
    if (eosTokenId === undefined) {
      throw new InputError(`${files.id}: tokenizer_config.json: eos_token ${JSON.stringify(named)} is not in tokenizer.json.`);
    }
    return { eosToken: named, eosTokenId };
  }
  for (const path of ["generation_config.json", "config.json"]) {
    const json = await readJson(files, path);
    const [eosTokenId] = isObject(json) ? readTokenIds(json.eos_token_id, "eos_token_id", path) : [];
    if (eosTokenId === undefined) continue;
    const eosToken = inner.id_to_token(eosTokenId);
    if (eosToken === undefined) throw new InputError(`${files.id}: ${path}: eos_token_id ${eosTokenId} is not in tokenizer.json.`);
    return { eosToken, eosTokenId };
  }
  throw new InputError(`${files.id}: no end token: expected eos_token in tokenizer_config.json or eos_token_id in config.json.`);
}

/** transformers 5 keeps the template in a file of its own; older folders in tokenizer_config.json, as a text or a list of named ones. */
async function findChatTemplate(files: ModelFiles, settings: Json): Promise<string | null> {
  const file = await readText(files, "chat_template.jinja");
  if (file !== null) return file;
  const entry = settings.chat_template;
  if (typeof entry === "string") return entry;
  if (!Array.isArray(entry)) return null;
  const found: unknown = entry.find((item) => isObject(item) && item.name === "default");
  return isObject(found) && typeof found.template === "string" ? found.template : null;
}

interface Chat {
  messages: readonly ChatMessage[];
  addGenerationPrompt: boolean;
  settings: Json;
}

function renderChat(id: string, chatTemplate: string | null, { messages, addGenerationPrompt, settings }: Chat): string {
  if (chatTemplate === null) throw new InputError(`${id} has no chat template; use another prompt style than chat.`);
  const specials = Object.entries(settings).flatMap(([key, value]) => {
    const text = key.endsWith("_token") ? tokenText(value) : null;
    return text === null ? [] : [[key, text] as const];
  });
  try {
    return new Template(chatTemplate).render({
      ...Object.fromEntries(specials),
      messages: messages.map(({ role, content }) => ({ role, content })),
      add_generation_prompt: addGenerationPrompt,
    });
  } catch (error) {
    throw new InputError(`${id}: the chat template refuses the messages: ${error instanceof Error ? error.message : error}.`);
  }
}
