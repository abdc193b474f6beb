// errata generate: text from a prompt.

import { InputError } from "../input_error.ts";
import { generate } from "../model/generate.ts";
import type { Model } from "../model/model.ts";
import { streamOf } from "../random.ts";
import { anotherEngine } from "./another_engine.ts";
import type { Command } from "./command.ts";
import { listFlag, numberFlag, readNumber, switchFlag, textFlag } from "./flags.ts";
import { ADAPTER_FLAG, MODEL_FLAGS, openAdapter, openEngine, patienceOf, readAdapterFlag } from "./open.ts";

const flags = {
  ...MODEL_FLAGS,
  ...ADAPTER_FLAG,
  prompt: textFlag("TEXT", "what the model continues", null),
  "prompt-ids": listFlag("1,2,3", "the prompt as token ids, instead of --prompt", null, (text, flag) =>
    readNumber(text, flag, { integer: true, min: 0 }),
  ),
  chat: switchFlag("put --prompt to the model as a chat message, by its own template"),
  n: numberFlag("N", "samples", 1, { integer: true, min: 1 }, { short: "n" }),
  temperature: numberFlag("T", "0 is greedy", 0, { min: 0 }),
  "ignore-end-token": switchFlag("go on to --max-new-tokens, the end token and what follows it among the ids"),
  "max-new-tokens": numberFlag("M", "tokens per sample at most", 128, { integer: true, min: 1 }),
  seed: numberFlag("S", "seed of the random draws", 0, { integer: true, min: 0 }),
} as const;

/** Samples in the making at once. */
const BATCH = 64;

export const generateCommand: Command<typeof flags> = {
  name: "generate",
  summary: "text from a prompt",
  description: `Prints one JSON line per sample: text, ids (the end token is not among them) and ended (stop, end_token or length), in order. Text is
tokenised with the tokenizer's own special tokens, such as Llama's first one. A model without tokenizer.json takes --prompt-ids and gives no text.

  errata generate --prompt "def double(x):" -n 3 --temperature 0.8`,
  flags,
  run: async (values, { print, progress, interrupted }) => {
    if ((values.prompt === null) === (values["prompt-ids"] === null)) throw new InputError("Give either --prompt or --prompt-ids.");
    let promptIds: readonly number[] = [];
    const batch = Math.min(values.n, BATCH);
    let engine = await openEngine(values, progress, async (model) => {
      promptIds = values["prompt-ids"] ?? encodePrompt(model, values.prompt ?? "", values.chat);
      const lora = (await readAdapterFlag(values.adapter, model.config))?.config ?? null;
      return { lora, sampling: { batch, longestPrompt: promptIds.length, maxNewTokens: values["max-new-tokens"] } };
    });
    let adapter = await openAdapter(engine, values.adapter);
    const requests = Array.from({ length: values.n }, (_, i) => ({ promptIds, stream: streamOf(`generate/${i}`) }));
    const { temperature, seed, "max-new-tokens": maxNewTokens } = values;
    const options = { temperature, maxNewTokens, seed, stop: [], batch: engine.memory?.batch ?? batch, signal: interrupted };
    const lines: string[] = [];
    const write = async () => {
      const model = values["ignore-end-token"] ? withoutEnd(engine.model) : engine.model;
      for await (const { index, text, ids, ended } of generate(engine.gpu, model, adapter, requests, options)) {
        lines[index] = JSON.stringify({ text, ids, ended });
        progress.show(`${Object.keys(lines).length} of ${values.n} samples`);
      }
    };
    await patienceOf(progress, () => "call again, and the same samples are written").insist(write, async () => {
      engine = await anotherEngine(engine, values, progress);
      adapter = await openAdapter(engine, values.adapter);
    });
    for (const line of lines) print(line);
  },
};

const withoutEnd = (model: Model): Model => ({ ...model, config: { ...model.config, eosTokenIds: [] } });

function encodePrompt({ tokenizer }: Pick<Model, "tokenizer">, prompt: string, chat: boolean): number[] {
  if (chat) return tokenizer.encode(tokenizer.renderChat([{ role: "user", content: prompt }], true)); // the template writes special tokens itself
  return tokenizer.encode(prompt, { addSpecial: true });
}
