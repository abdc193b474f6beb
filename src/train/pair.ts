// Preference pairs: their file format (TRL's), and text to tokens by the rules of TRL 1.16's DPOTrainer.

import { InputError } from "../input_error.ts";
import { positions } from "../model/config.ts";
import type { ChatMessage, Tokenizer } from "../model/tokenizer.ts";

export interface TextPair {
  prompt: string;
  chosen: string;
  rejected?: string;
}

/** TRL's conversational format. */
export interface ChatPair {
  prompt: ChatMessage[];
  chosen: ChatMessage[];
  rejected?: ChatMessage[];
}

export interface TokenPair {
  promptIds: number[];
  chosenIds: number[];
  /** Empty for supervised fine-tuning. */
  rejectedIds: number[];
}

/**
 * Tokenises a pair as TRL 1.16 does. Text: the end token's text is appended to the answers unless they end with it; then prompt and
 * prompt + answer are tokenised apart (with the tokenizer's own special tokens, such as Llama's first one). Messages: the template
 * writes them, and nothing is appended. The answer begins where prompt and prompt + answer diverge, for both answers at the same
 * place: a token that merges across the boundary moves out of the prompt.
 * @throws InputError where nothing is left of the prompt or of an answer
 */
export function tokenizePair(tokenizer: Tokenizer, pair: TextPair | ChatPair): TokenPair {
  const { prompt, answers } = isChat(pair) ? chatTokens(tokenizer, pair) : textTokens(tokenizer, pair);
  const boundary = Math.min(...answers.map((ids) => commonLength(prompt, ids)));
  const [chosenIds = [], rejectedIds = []] = answers.map((ids) => ids.slice(boundary));
  const tokens = { promptIds: prompt.slice(0, boundary), chosenIds, rejectedIds };
  if (boundary === 0) throw new InputError("expected a prompt of at least one token, found an empty one; begin it with some text.");
  if (answers.some((ids) => ids.length === boundary)) throw new InputError("expected answers of at least one token, found an empty one.");
  return tokens;
}

function isChat(pair: TextPair | ChatPair): pair is ChatPair {
  return typeof pair.prompt !== "string";
}

interface PairTokens {
  prompt: number[];
  /** Prompt and answer together: chosen, then rejected where there is one. */
  answers: number[][];
}

function textTokens(tokenizer: Tokenizer, { prompt, chosen, rejected }: TextPair): PairTokens {
  const { eosToken } = tokenizer;
  const encode = (text: string) => tokenizer.encode(text, { addSpecial: true });
  const answers = rejected === undefined ? [chosen] : [chosen, rejected];
  return {
    prompt: encode(prompt),
    answers: answers.map((answer) => encode(prompt + (answer.endsWith(eosToken) ? answer : answer + eosToken))),
  };
}

function chatTokens(tokenizer: Tokenizer, { prompt, chosen, rejected }: ChatPair): PairTokens {
  if (prompt.at(-1)?.role === "assistant") {
    throw new InputError("expected a prompt that ends with another role's message, found the assistant's; move it into the answers.");
  }
  const answers = rejected === undefined ? [chosen] : [chosen, rejected];
  return {
    prompt: tokenizer.encode(tokenizer.renderChat(prompt, true)),
    answers: answers.map((answer) => tokenizer.encode(tokenizer.renderChat([...prompt, ...answer], false))),
  };
}

function commonLength(a: readonly number[], b: readonly number[]): number {
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i++) if (a[i] !== b[i]) return i;
  return end;
}

export interface PairLimits {
  /** Ids must be below it. */
  vocabulary: number;
  /** A prompt and its answer must fit into it. */
  contextLength: number;
}

/**
 * Reads a file of pairs, one JSON object a line: `prompt`, `chosen`, `rejected` as texts or message lists, or `prompt_ids`,
 * `chosen_ids`, `rejected_ids`, which win where a line has both. `rejected` may be absent (supervised fine-tuning).
 * @throws InputError naming the file and the line
 */
export function readPairs(text: string, file: string, tokenizer: Tokenizer, limits: PairLimits): TokenPair[] {
  const pairs: TokenPair[] = [];
  text.split("\n").forEach((line, i) => {
    if (line.trim() === "") return;
    try {
      const pair = readPair(line, tokenizer);
      checkPair(pair, limits);
      pairs.push(pair);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      throw new InputError(`${file}, line ${i + 1}: ${error.message}`);
    }
  });
  if (pairs.length === 0) throw new InputError(`${file}: expected a pair a line, found none.`);
  return pairs;
}

type Json = Record<string, unknown>;

function readPair(line: string, tokenizer: Tokenizer): TokenPair {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    throw new InputError("expected a JSON object, found what is no JSON.");
  }
  if (!isObject(json)) throw new InputError("expected a JSON object, found other JSON.");
  if (json.prompt_ids !== undefined) {
    return {
      promptIds: readIds(json, "prompt_ids"),
      chosenIds: readIds(json, "chosen_ids"),
      rejectedIds: json.rejected_ids === undefined ? [] : readIds(json, "rejected_ids"),
    };
  }
  const hasRejected = json.rejected !== undefined && json.rejected !== null;
  if (typeof json.prompt === "string") {
    const pair: TextPair = { prompt: json.prompt, chosen: readText(json, "chosen") };
    if (hasRejected) pair.rejected = readText(json, "rejected");
    return tokenizePair(tokenizer, pair);
  }
  const pair: ChatPair = { prompt: readMessages(json, "prompt"), chosen: readMessages(json, "chosen") };
  if (hasRejected) pair.rejected = readMessages(json, "rejected");
  return tokenizePair(tokenizer, pair);
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readText(json: Json, field: string): string {
  const value = json[field];
  if (typeof value === "string") return value;
  throw new InputError(`expected ${field}, a text as prompt is, found ${brief(value)}.`);
}

function readMessages(json: Json, field: string): ChatMessage[] {
  const value = json[field];
  const isMessage = (item: unknown): item is ChatMessage =>
    isObject(item) && typeof item.role === "string" && typeof item.content === "string";
  if (Array.isArray(value) && value.length > 0 && value.every(isMessage)) return value;
  throw new InputError(`expected ${field}, a text or a list of messages with role and content, found ${brief(value)}.`);
}

function readIds(json: Json, field: string): number[] {
  const value = json[field];
  const isId = (id: unknown): id is number => Number.isSafeInteger(id) && Number(id) >= 0;
  if (Array.isArray(value) && value.length > 0 && value.every(isId)) return value;
  throw new InputError(`expected ${field}, a list of at least one token id, found ${brief(value)}.`);
}

function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** @throws InputError where an id is beyond the vocabulary or the pair is longer than the context */
function checkPair({ promptIds, chosenIds, rejectedIds }: TokenPair, { vocabulary, contextLength }: PairLimits): void {
  for (const ids of [promptIds, chosenIds, rejectedIds]) {
    const beyond = ids.find((id) => id >= vocabulary);
    if (beyond !== undefined) throw new InputError(`expected token ids below ${vocabulary}, the model's vocabulary, found ${beyond}.`);
  }
  const length = promptIds.length + Math.max(chosenIds.length, rejectedIds.length);
  const most = positions({ contextLength });
  if (length > most) throw new InputError(`expected at most ${most} tokens, ${why(most, contextLength)}, found a pair of ${length}.`);
}

const why = (most: number, contextLength: number): string =>
  most === contextLength ? "the model's context" : `what Errata runs of the model's context of ${contextLength}`;

/** Per answer token 1 where it counts in a focal loss, else 0. */
export interface FocalMask {
  chosen: number[];
  rejected: number[];
}

/**
 * Reads the masks of a pair file: a JSON list with `chosen` and `rejected` for each pair, of the answers' lengths.
 * @throws InputError naming the file and the entry
 */
export function readFocalMasks(json: unknown, file: string, pairs: readonly TokenPair[]): FocalMask[] {
  if (!Array.isArray(json) || json.length < pairs.length) {
    throw new InputError(`${file}: expected a list of ${pairs.length} masks, one for each pair.`);
  }
  return pairs.map((pair, i) => {
    const entry: unknown = json[i];
    if (!isObject(entry)) throw new InputError(`${file}, entry ${i + 1}: expected an object with chosen and rejected.`);
    const side = (field: "chosen" | "rejected", length: number): number[] => {
      const value = entry[field];
      const isBit = (bit: unknown): bit is number => bit === 0 || bit === 1;
      if (Array.isArray(value) && value.length === length && value.every(isBit)) return value;
      throw new InputError(`${file}, entry ${i + 1}: expected ${field}, ${length} values 0 or 1 for its tokens, found ${brief(value)}.`);
    };
    return { chosen: side("chosen", pair.chosenIds.length), rejected: side("rejected", pair.rejectedIds.length) };
  });
}
