// errata logps: log-probabilities of preference pairs, with the adapter and without.

import { InputError } from "../input_error.ts";
import type { Model } from "../model/model.ts";
import { PACK_TOKENS, pairLogps, pairTokens } from "../train/logps.ts";
import { readPairs, type TokenPair } from "../train/pair.ts";
import { anotherEngine } from "./another_engine.ts";
import type { Command } from "./command.ts";
import { textFlag } from "./flags.ts";
import { ADAPTER_FLAG, MODEL_FLAGS, openAdapter, openEngine, patienceOf, readAdapterFlag } from "./open.ts";
import { callerPath, readInput } from "./paths.ts";

export const PAIRS_FLAG = {
  pairs: textFlag(
    "FILE",
    "pairs in TRL's format: prompt, chosen, rejected (texts or messages), or prompt_ids, chosen_ids, rejected_ids",
    null,
  ),
} as const;

const flags = { ...MODEL_FLAGS, ...ADAPTER_FLAG, ...PAIRS_FLAG } as const;

/** Pairs run together; bounds what is held at once, not the result. */
const CHUNK = 64;

export const logpsCommand: Command<typeof flags> = {
  name: "logps",
  summary: "log-probabilities of preference pairs",
  description: `Prints one JSON line per pair: chosen_logp, rejected_logp (sums over the completion's tokens, the end token included), the same of
the reference (the model without --adapter) as ref_chosen_logp and ref_rejected_logp, and chosen_token_logps, rejected_token_logps.

Texts are tokenised as TRL does it: the end token is appended to an answer that lacks it, prompt and prompt + answer are tokenised apart, and the
answer begins where these diverge, at the same place for both answers; a token that merges across the boundary is the answer's. Messages are
written by the model's chat template, and nothing is appended. Token ids are taken as they stand, and win over texts in the same line.

  errata logps --adapter OUT/adapter --pairs OUT/preferences.jsonl`,
  flags,
  run: async (values, { print, progress, interrupted }) => {
    const file = pairsPath(values.pairs);
    const text = new TextDecoder().decode(readInput(file, "file of pairs"));
    let pairs: TokenPair[] = [];
    let engine = await openEngine(values, progress, async (model) => {
      pairs = pairsOf(text, file, model);
      const lora = (await readAdapterFlag(values.adapter, model.config))?.config ?? null;
      return { lora, training: { tokens: Math.max(PACK_TOKENS, ...pairs.map(pairTokens)), checkpoint: null } };
    });
    let adapter = await openAdapter(engine, values.adapter);
    const both = async (some: readonly TokenPair[]) => {
      const reference = await pairLogps(engine.gpu, engine.model, null, some);
      return { reference, policy: adapter ? await pairLogps(engine.gpu, engine.model, adapter, some) : reference };
    };
    const patience = patienceOf(progress, () => "what was printed is whole");
    const recover = async () => {
      engine = await anotherEngine(engine, values, progress);
      adapter = await openAdapter(engine, values.adapter);
    };
    for (let from = 0; from < pairs.length; from += CHUNK) {
      interrupted.throwIfAborted();
      const some = pairs.slice(from, from + CHUNK);
      const { reference, policy } = await patience.insist(() => both(some), recover);
      some.forEach((_, i) => {
        print(
          JSON.stringify({
            chosen_logp: sum(policy[i]!.chosen),
            rejected_logp: sum(policy[i]!.rejected),
            ref_chosen_logp: sum(reference[i]!.chosen),
            ref_rejected_logp: sum(reference[i]!.rejected),
            chosen_token_logps: [...policy[i]!.chosen],
            rejected_token_logps: [...policy[i]!.rejected],
          }),
        );
      });
      progress.show(`${Math.min(from + CHUNK, pairs.length)} of ${pairs.length} pairs`);
    }
  },
};

/** The path of --pairs, which must be given. */
export function pairsPath(pairs: string | null): string {
  if (pairs === null) throw new InputError("Give the pairs: --pairs FILE.");
  return callerPath(pairs);
}

/** The token pairs of a file's text. */
export function pairsOf(text: string, file: string, { tokenizer, config }: Pick<Model, "config" | "tokenizer">): TokenPair[] {
  return readPairs(text, file, tokenizer, config);
}

function sum(logps: Float32Array): number {
  return logps.reduce((total, logp) => total + logp, 0);
}
