import { describe, expect, test } from "vitest";
import { readConfig } from "../../src/model/config.ts";
import { loadTokenizer } from "../../src/model/tokenizer.ts";
import { readFocalMasks, readPairs, type TokenPair, tokenizePair } from "../../src/train/pair.ts";
import { MODELS, modelFiles, readBytes, readJson } from "../golden/golden.ts";

const tokenizer = await loadTokenizer(modelFiles("tiny-qwen2"));
const limits = { vocabulary: 320, contextLength: 1024 };

function text(path: string): string {
  return new TextDecoder().decode(readBytes(path));
}

describe("tokenises as TRL does", () => {
  const golden = (kind: string) => readPairs(text(`trl/${kind}/tokenized.jsonl`), "tokenized.jsonl", tokenizer, limits);

  test("texts, with an end token, whose boundary may lie inside the prompt's last token", () => {
    expect(readPairs(text("trl/preferences.jsonl"), "preferences.jsonl", tokenizer, limits)).toEqual(golden("text"));
  });

  test("messages, by the chat template, without another end token", () => {
    expect(readPairs(text("trl/preferences_chat.jsonl"), "preferences_chat.jsonl", tokenizer, limits)).toEqual(golden("chat"));
  });

  test("a pair without a rejected answer", () => {
    const [pair] = golden("text");
    const sft = tokenizePair(tokenizer, { prompt: "def add(a, b):\n", chosen: "    return a + b\n" });
    expect(sft).toEqual({ ...pair, rejectedIds: [] });
  });

  test("an end token that is there already is not repeated", () => {
    const { chosenIds, rejectedIds } = tokenizePair(tokenizer, { prompt: "a", chosen: " = 1<|endoftext|>", rejected: " = 1" });
    expect(chosenIds).toEqual(rejectedIds);
    expect(chosenIds.filter((id) => id === tokenizer.eosTokenId)).toHaveLength(1);
  });
});

test.each(MODELS)("reads the golden pairs of %s as they are", async (model) => {
  const { vocabulary, contextLength } = readConfig(readJson(`models/${model}/config.json`), "config.json");
  for (const name of ["pairs", "pairs_edge"]) {
    const path = `dpo/${model}/${name}.jsonl`;
    const pairs = readPairs(text(path), path, tokenizer, { vocabulary, contextLength });
    const written = pairs.map(({ promptIds, chosenIds, rejectedIds }) =>
      JSON.stringify({ prompt_ids: promptIds, chosen_ids: chosenIds, rejected_ids: rejectedIds }),
    );
    expect(written.map((line) => JSON.parse(line))).toEqual(
      text(path)
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    );
  }
});

describe("refuses, naming file and line", () => {
  const long = JSON.stringify({ prompt_ids: [1], chosen_ids: new Array(1024).fill(2), rejected_ids: [3] });
  test.each([
    ["no pair at all", "\n\n", "f.jsonl: expected a pair a line, found none."],
    ["what is no JSON", "{", "f.jsonl, line 1: expected a JSON object"],
    ["other JSON", "[]", "f.jsonl, line 1: expected a JSON object"],
    ["a pair without an answer", '\n{"prompt": "a"}', "f.jsonl, line 2: expected chosen, a text as prompt is, found nothing."],
    ["a mix of texts and messages", '{"prompt": "a", "chosen": []}', "expected chosen, a text"],
    ["no prompt", '{"chosen": "a"}', "expected prompt, a text or a list of messages"],
    ["an empty prompt", '{"prompt": "", "chosen": "a", "rejected": "b"}', "expected a prompt of at least one token"],
    [
      "a prompt that merges into the answer",
      '{"prompt": "d", "chosen": "ef f", "rejected": "ef g"}',
      "expected a prompt of at least one token",
    ],
    ["an empty list of ids", '{"prompt_ids": [1], "chosen_ids": []}', "expected chosen_ids, a list of at least one token id, found []."],
    [
      "an id that is none",
      '{"prompt_ids": [1], "chosen_ids": [1.5]}',
      "expected chosen_ids, a list of at least one token id, found [1.5].",
    ],
    ["an id beyond the vocabulary", '{"prompt_ids": [1], "chosen_ids": [320]}', "token ids below 320, the model's vocabulary, found 320."],
    ["a pair beyond the context", long, "at most 1024 tokens, the model's context, found a pair of 1025."],
    [
      "a prompt that ends with the assistant",
      '{"prompt": [{"role": "assistant", "content": "a"}], "chosen": [{"role": "assistant", "content": "b"}]}',
      "found the assistant's",
    ],
  ])("%s", (_, lines, message) => {
    expect(() => readPairs(lines, "f.jsonl", tokenizer, limits)).toThrow(message);
  });
});

test("a context longer than the rotary table is no reason to refuse a pair that fits the table", () => {
  const wide = { vocabulary: 320, contextLength: 131072 };
  const pair = (length: number) => JSON.stringify({ prompt_ids: [1], chosen_ids: new Array(length - 1).fill(2), rejected_ids: [3] });
  expect(readPairs(pair(8192), "f.jsonl", tokenizer, wide)[0]!.chosenIds).toHaveLength(8191);
  expect(() => readPairs(pair(8193), "f.jsonl", tokenizer, wide)).toThrow(
    "expected at most 8192 tokens, what Errata runs of the model's context of 131072, found a pair of 8193.",
  );
});

describe("focal masks", () => {
  const pairs: TokenPair[] = [{ promptIds: [1], chosenIds: [2, 3], rejectedIds: [4] }];

  test("of the golden models fit their pairs", () => {
    for (const model of MODELS) {
      const path = `dpo/${model}/pairs.jsonl`;
      const read = readPairs(text(path), path, tokenizer, { vocabulary: 331, contextLength: 1024 });
      expect(readFocalMasks(readJson(`dpo/${model}/focal_masks.json`), "masks.json", read)[2]!.rejected).toEqual([0]);
    }
  });

  test.each([
    ["too few", [], "m.json: expected a list of 1 masks"],
    ["another length", [{ chosen: [1], rejected: [0] }], "m.json, entry 1: expected chosen, 2 values 0 or 1 for its tokens, found [1]."],
    ["other values", [{ chosen: [1, 0], rejected: [0.5] }], "expected rejected, 1 values 0 or 1"],
    ["no object", [3], "expected an object with chosen and rejected"],
  ])("%s are refused", (_, json, message) => {
    expect(() => readFocalMasks(json, "m.json", pairs)).toThrow(message);
  });
});
