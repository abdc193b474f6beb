// What a model, its training and its sampling take on the GPU, in bytes, before anything is allocated: counted from the very layouts
// that are allocated, so that plan and peak are equal. (Pipelines, uniforms and readbacks, some megabytes, are not counted.)

import { activationBytes, CHECKPOINTS, type Checkpoint } from "../model/activations.ts";
import type { ModelConfig } from "../model/config.ts";
import { decodeBytes, samplingSizes } from "../model/generate.ts";
import { headBytes } from "../model/head.ts";
import { adapterBytes, paddedRank } from "../model/lora.ts";
import type { LoraConfig } from "../model/peft.ts";
import { possibleDtypes, type WeightDtype, weightBytes } from "../model/weight_plan.ts";
import { workspaceSizes } from "./logps.ts";
import { optimizerBytes } from "./optimizer.ts";

/** What will be on the GPU at once. */
export interface MemoryNeeds {
  readonly dtype: WeightDtype;
  /** null: no adapter. */
  readonly lora: Pick<LoraConfig, "r" | "target_modules"> | null;
  /** Packs of up to `tokens` tokens; checkpoint null: log-probabilities alone. null: neither. */
  readonly training: { readonly tokens: number; readonly checkpoint: Checkpoint | null } | null;
  readonly sampling: { readonly batch: number; readonly longestPrompt: number; readonly maxNewTokens: number } | null;
}

/** Bytes by purpose. */
export interface MemoryPlan {
  readonly weights: number;
  /** Parameters and gradients of the adapter. */
  readonly lora: number;
  readonly optimizer: number;
  /** Of training: what the passes keep and what is in flight between their kernels. */
  readonly activations: number;
  /** Keys and values of sampling. */
  readonly cache: number;
  /** The head's buffers, and what else sampling takes. */
  readonly scratch: number;
  readonly total: number;
}

export function planMemory(config: ModelConfig, { dtype, lora, training, sampling }: MemoryNeeds): MemoryPlan {
  const R = lora ? paddedRank(lora.r) : undefined;
  const arena = lora ? adapterBytes(config, lora) : 0;
  const workspace = training && workspaceSizes(R ?? 4, training.tokens, training.checkpoint);
  const sizes = sampling && samplingSizes(sampling.batch, sampling.longestPrompt, sampling.maxNewTokens, R);
  const cache = sizes ? 2 * 4 * config.layers * config.kvHeads * config.headSize * sizes.slots : 0;
  const sampler = sampling && sizes ? activationBytes(config, sizes) + decodeBytes(config, sampling) : 0;
  const parts = {
    weights: weightBytes(config, dtype),
    lora: 2 * arena,
    optimizer: lora && training?.checkpoint ? optimizerBytes(arena) : 0,
    activations: workspace ? activationBytes(config, workspace.activations) : 0,
    cache,
    scratch: (workspace ? headBytes(config, workspace.head) : 0) + sampler - cache,
  };
  return { ...parts, total: Object.values(parts).reduce((sum, bytes) => sum + bytes, 0) };
}

/** "1.89 GB" or "12.3 MB". */
export const bytesText = (bytes: number): string => (bytes >= 1e8 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`);

/** "0.99 GB of weights, 0.67 GB of activations ...", the largest first. */
export function describePlan({ total, ...parts }: MemoryPlan): string {
  const sorted = Object.entries(parts).sort(([, a], [, b]) => b - a);
  const named = sorted.filter(([, bytes]) => bytes >= total / 100).map(([name, bytes]) => `${name} ${bytesText(bytes)}`);
  return `${bytesText(total)}${named.length > 0 ? ` (${named.join(", ")})` : ""}`;
}

/**
 * null where the plan fits the budget, else one sentence that says by how much not, and the nearest plan that does: first what
 * changes no result (checkpoint, answers at once), then the dtype, then the lengths.
 * @param budget in bytes
 */
export function explainBudget(id: string, config: ModelConfig, needs: MemoryNeeds, budget: number): string | null {
  const plan = planMemory(config, needs);
  if (plan.total <= budget) return null;
  const found = smallerNeeds(needs, possibleDtypes(config)).find((smaller) => planMemory(config, smaller).total <= budget);
  const verdict = `${id} needs ${describePlan(plan)} of GPU memory, more than the budget of ${bytesText(budget)}`;
  if (!found) return `${verdict}, and no dtype, checkpoint or shorter length brings it below: take a smaller model.`;
  return `${verdict}: ${differences(needs, found).join(", ")} would take ${bytesText(planMemory(config, found).total)}.`;
}

/** Needs that take less, the least change first. */
function smallerNeeds(needs: MemoryNeeds, possible: readonly WeightDtype[]): MemoryNeeds[] {
  const { training, sampling } = needs;
  const checkpoints = training?.checkpoint ? CHECKPOINTS.slice(CHECKPOINTS.indexOf(training.checkpoint)) : [null];
  const batches = sampling ? halvings(sampling.batch, 1) : [0];
  const shares = [1, 2, 4]; // of the lengths
  return shares.flatMap((share) =>
    possible.slice(possible.indexOf(needs.dtype)).flatMap((dtype) =>
      checkpoints.flatMap((checkpoint) =>
        batches.map((batch) => ({
          ...needs,
          dtype,
          training: training && { tokens: Math.ceil(training.tokens / share), checkpoint },
          sampling: sampling && { ...sampling, batch, maxNewTokens: Math.ceil(sampling.maxNewTokens / share) },
        })),
      ),
    ),
  );
}

function halvings(from: number, to: number): number[] {
  const values: number[] = [];
  for (let value = from; value >= to; value = Math.floor(value / 2)) values.push(value);
  return values;
}

function differences(asked: MemoryNeeds, found: MemoryNeeds): string[] {
  const changes: string[] = [];
  if (found.dtype !== asked.dtype) changes.push(`--dtype ${found.dtype}`);
  if (found.training?.checkpoint && found.training.checkpoint !== asked.training?.checkpoint) {
    changes.push(`--checkpoint ${found.training.checkpoint}`);
  }
  if (found.training && found.training.tokens !== asked.training?.tokens) changes.push(`packs of ${found.training.tokens} tokens`);
  if (found.sampling && found.sampling.batch !== asked.sampling?.batch) changes.push(`${found.sampling.batch} answers at once`);
  if (found.sampling && found.sampling.maxNewTokens !== asked.sampling?.maxNewTokens) {
    changes.push(`--max-new-tokens ${found.sampling.maxNewTokens}`);
  }
  return changes;
}
