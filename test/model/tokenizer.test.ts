import { describe, expect, test } from "vitest";
import { InputError } from "../../src/input_error.ts";
import type { ModelFiles } from "../../src/model/files.ts";
import { bytesSource } from "../../src/model/safetensors.ts";
import { chatPrompt, loadTokenizer } from "../../src/model/tokenizer.ts";
import { tokenizePair } from "../../src/train/pair.ts";
import { folder, modelFiles, readBytes, readJson } from "../golden/golden.ts";

interface GoldenTokenizer {
  texts: { text: string; ids: number[]; decoded: string; decoded_skip_special: string }[];
  chats: { name: string; messages: { role: string; content: string }[]; add_generation_prompt: boolean; text: string; ids: number[] }[];
  partial_utf8: { text: string; decoded_prefixes: string[] };
}

/** Qwen2.5's tokenizer; the golden data leave out the part of its vocabulary that follows from the merges. */
function qwenFiles(): ModelFiles {
  const json = readJson<{ model: { vocab: Record<string, number>; merges: string[] } }>("models/qwen2_5-tokenizer/tokenizer.json");
  json.model.merges.forEach((merge, i) => {
    json.model.vocab[merge.replace(" ", "")] = 256 + i;
  });
  const bytes = new TextEncoder().encode(JSON.stringify(json));
  const rest = folder("models/qwen2_5-tokenizer");
  return { id: "qwen2_5", open: async (path) => (path === "tokenizer.json" ? bytesSource(path, bytes) : rest.open(path)) };
}

/** A tiny tokenizer with some of its files replaced or, by null, taken away. */
function changed(files: Record<string, unknown>): ModelFiles {
  const base = modelFiles("tiny-qwen2");
  return {
    id: "tiny",
    open: async (path) => {
      if (!Object.hasOwn(files, path)) return base.open(path);
      const content = files[path];
      return content === null
        ? null
        : bytesSource(path, new TextEncoder().encode(typeof content === "string" ? content : JSON.stringify(content)));
    },
  };
}

describe("Qwen2.5's tokenizer", async () => {
  const golden = readJson<GoldenTokenizer>("tokenizer/qwen2_5.json");
  const tokenizer = await loadTokenizer(qwenFiles());

  test.each(golden.texts)("encodes and decodes $text", ({ text, ids, decoded, decoded_skip_special }) => {
    expect(tokenizer.encode(text)).toEqual(ids);
    expect(tokenizer.decode(ids)).toBe(decoded);
    expect(tokenizer.decode(ids, { skipSpecial: true })).toBe(decoded_skip_special);
  });

  test.each(golden.chats)("renders the chat $name, generation prompt $add_generation_prompt", (chat) => {
    const text = tokenizer.renderChat(chat.messages, chat.add_generation_prompt);
    expect(text).toBe(chat.text);
    expect(tokenizer.encode(text)).toEqual(chat.ids);
  });

  test("decodes answers that were cut anywhere", () => {
    const ids = tokenizer.encode(golden.partial_utf8.text);
    golden.partial_utf8.decoded_prefixes.forEach((decoded, i) => {
      expect(tokenizer.decode(ids.slice(0, i + 1))).toBe(decoded);
    });
  });

  test("ends with the token that its config names", () => {
    expect([tokenizer.eosToken, tokenizer.eosTokenId]).toEqual(["<|im_end|>", 151645]);
  });
});

describe("files", () => {
  test("the end token is tokenizer_config's, else generation_config's, else config's", async () => {
    expect((await loadTokenizer(changed({}))).eosTokenId).toBe(316);
    expect((await loadTokenizer(changed({ "tokenizer_config.json": { eos_token: { content: "<|im_end|>" } } }))).eosTokenId).toBe(318);
    const none = { "tokenizer_config.json": null };
    const two = await loadTokenizer(changed({ ...none, "generation_config.json": { eos_token_id: [318, 316] } }));
    expect([two.eosToken, two.endTokenIds]).toEqual(["<|im_end|>", [318, 316]]);
    const both = await loadTokenizer(changed({ "generation_config.json": { eos_token_id: [318, 317] } }));
    expect(both.endTokenIds).toEqual([316, 318, 317]);
    const fromConfig = await loadTokenizer(changed({ ...none, "generation_config.json": null, "config.json": { eos_token_id: 317 } }));
    expect(fromConfig.eosToken).toBe("<|im_start|>");
  });

  test("the tokenizer's own first token comes where it is asked for", async () => {
    const first = { id: "<|im_start|>", ids: [317], tokens: ["<|im_start|>"] };
    const post_processor = {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<|im_start|>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
      special_tokens: { "<|im_start|>": first },
    };
    const tokenizer = await loadTokenizer(
      changed({ "tokenizer.json": { ...readJson<object>("models/tiny-qwen2/tokenizer.json"), post_processor } }),
    );
    expect(tokenizer.encode("a")).toEqual([97]);
    expect(tokenizer.encode("a", { addSpecial: true })).toEqual([317, 97]);
    const pair = tokenizePair(tokenizer, { prompt: "a", chosen: "\n", rejected: "\t" });
    expect(pair).toEqual({ promptIds: [317, 97], chosenIds: [10, 316], rejectedIds: [9, 316] });
    // This template writes <|im_start|> itself: as a prompt it has it once.
    const messages = [{ role: "user", content: "hi" }];
    expect(tokenizer.encode(chatPrompt(tokenizer, messages), { addSpecial: true })).toEqual(
      tokenizer.encode(tokenizer.renderChat(messages, true)),
    );
    const plain = await loadTokenizer(changed({}));
    expect(chatPrompt(plain, messages)).toBe(plain.renderChat(messages, true));
  });

  test("ids beyond the tokenizer, which a model's vocabulary may have, have no text", async () => {
    const tokenizer = await loadTokenizer(modelFiles("awkward-qwen2"));
    expect(tokenizer.decode([97, 330, 98])).toBe("ab");
  });

  test("the template is chat_template.jinja, else tokenizer_config's text or its default one", async () => {
    const text = "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}";
    const render = async (files: Record<string, unknown>) =>
      (await loadTokenizer(changed(files))).renderChat([{ role: "user", content: "hi" }], true);
    expect(await render({})).toBe("<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
    const settings = { eos_token: "<|endoftext|>", bos_token: "<s>" };
    const old = { "chat_template.jinja": null };
    expect(await render({ ...old, "tokenizer_config.json": { ...settings, chat_template: text } })).toBe("<s>hi");
    const named = [
      { name: "tool_use", template: "no" },
      { name: "default", template: text },
    ];
    expect(await render({ ...old, "tokenizer_config.json": { ...settings, chat_template: named } })).toBe("<s>hi");
    await expect(render({ ...old })).rejects.toThrow("tiny has no chat template");
  });

  test.each([
    ["a tokenizer that is none", { "tokenizer.json": [] }, "tokenizer.json: expected an object."],
    ["broken JSON", { "tokenizer.json": "{" }, "tokenizer.json of tiny: expected JSON"],
    ["another model type", { "tokenizer.json": { model: { type: "Nonsense" } } }, "tokenizer.json cannot be used"],
    ["an unknown end token", { "tokenizer_config.json": { eos_token: "<|nope|>" } }, 'eos_token "<|nope|>" is not in tokenizer.json'],
    [
      "an end token beyond the vocabulary",
      { "tokenizer_config.json": null, "generation_config.json": { eos_token_id: 9999 } },
      "eos_token_id 9999",
    ],
    ["no end token", { "tokenizer_config.json": null, "generation_config.json": null, "config.json": null }, "no end token"],
  ])("%s is refused", async (_, files, message) => {
    await expect(loadTokenizer(changed(files))).rejects.toThrow(message);
  });

  test("without tokenizer.json token ids can be run, and a text is refused", async () => {
    const tokenizer = await loadTokenizer(changed({ "tokenizer.json": null }));
    expect(tokenizer.decode([1, 2])).toBe("");
    expect(() => tokenizer.encode("x")).toThrow("tiny has no tokenizer.json: add it, or give token ids (prompt_ids,");
    expect(() => tokenizer.eosToken).toThrow(InputError);
  });

  test("a template that refuses the messages says so", async () => {
    const tokenizer = await loadTokenizer(changed({ "chat_template.jinja": "{{ raise_exception('roles must alternate') }}" }));
    expect(() => tokenizer.renderChat([], false)).toThrow("roles must alternate");
  });
});

test("every golden model's tokenizer encodes text to ids that decode to it", async () => {
  const text = "def add(a, b):\n    return a + b  # 五\n";
  for (const name of ["tiny-qwen2", "tiny-llama", "tiny-qwen3"]) {
    const tokenizer = await loadTokenizer(modelFiles(name));
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    expect(tokenizer.encode("")).toEqual([]);
    expect(tokenizer.chatTemplate).toBe(new TextDecoder().decode(readBytes(`models/${name}/chat_template.jinja`)));
  }
});
