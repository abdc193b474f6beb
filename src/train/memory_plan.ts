// What a model, its training and its sampling take on the GPU, in bytes, before anything is allocated: counted from the very layouts
// that are allocated, so that plan and peak are equal. (Pipelines, uniforms and readbacks, some megabytes, are not counted.)

import { InputError } from "../input_error.ts";
import { activationTensors, bytesIn, CHECKPOINTS, type Checkpoint, type PlannedTensor } from "../model/activations.ts";
import type { ModelConfig } from "../model/config.ts";
import { decodeTensors, samplingSizes } from "../model/generate.ts";
import { headTensors } from "../model/head.ts";
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
  const arena = lora ? adapterBytes(config, lora) : 0;
  const { passes, heads, samplers } = tensorsOf(config, { lora, training, sampling });
  const slots = sampling ? samplingSizes(sampling.batch, sampling.longestPrompt, sampling.maxNewTokens).slots : 0;
  const cache = 2 * 4 * config.layers * config.kvHeads * config.headSize * slots;
  const parts = {
    weights: weightBytes(config, dtype),
    lora: 2 * arena,
    optimizer: lora && training?.checkpoint ? optimizerBytes(arena) : 0,
    activations: bytesIn(passes),
    cache,
    scratch: bytesIn(heads) + bytesIn(samplers) - cache,
  };
  return { ...parts, total: Object.values(parts).reduce((sum, bytes) => sum + bytes, 0) };
}

/** What training's passes, its head and sampling allocate. */
function tensorsOf(config: ModelConfig, { lora, training, sampling }: Omit<MemoryNeeds, "dtype">) {
  const R = lora ? paddedRank(lora.r) : undefined;
  const workspace = training && workspaceSizes(R ?? 4, training.tokens, training.checkpoint);
  const sizes = sampling && samplingSizes(sampling.batch, sampling.longestPrompt, sampling.maxNewTokens, R);
  return {
    passes: workspace ? activationTensors(config, workspace.activations) : [],
    heads: workspace ? headTensors(config, workspace.head) : [],
    samplers: sampling && sizes ? [...activationTensors(config, sizes), ...decodeTensors(config, sampling)] : [],
  };
}

/** The largest tensor that is bound as a whole: matrices are split into shards that every adapter binds. */
function largestTensor(config: ModelConfig, needs: MemoryNeeds): PlannedTensor {
  const { passes, heads, samplers } = tensorsOf(config, needs);
  const arena = { name: "LoRA's parameters", bytes: needs.lora ? adapterBytes(config, needs.lora) : 0 };
  return [...passes, ...heads, ...samplers].reduce((most, tensor) => (tensor.bytes > most.bytes ? tensor : most), arena);
}

/** What there is room for, in bytes. */
export interface Room {
  /** Of all; infinite where nobody set a limit. */
  readonly budget: number;
  /** Of one tensor: what the adapter binds. */
  readonly tensor: number;
}

const fits = (config: ModelConfig, needs: MemoryNeeds, { budget, tensor }: Room): boolean =>
  planMemory(config, needs).total <= budget && largestTensor(config, needs).bytes <= tensor;

/**
 * The needs with as much computed again, and as few answers at once, as the room asks for: what changes no result. null where that does not do.
 * @param checkpoints those that training may take; from the needs' own on unless told
 */
export function fittingNeeds(config: ModelConfig, needs: MemoryNeeds, room: Room, checkpoints?: readonly Checkpoint[]): MemoryNeeds | null {
  return frugalNeeds(needs, checkpoints).find((frugal) => fits(config, frugal, room)) ?? null;
}

/** The needs as they fit. @throws InputError, a sentence, where nothing does */
export function planToFit(
  id: string,
  config: ModelConfig,
  needs: MemoryNeeds,
  room: Room,
  checkpoints?: readonly Checkpoint[],
): MemoryNeeds {
  const fitting = fittingNeeds(config, needs, room, checkpoints);
  if (!fitting) throw new InputError(explainRoom(id, config, needs, room) ?? `${id} does not fit.`);
  return fitting;
}

/** Fewer answers at once than this cost more time than what checkpoints compute again. */
const FEW_ANSWERS = 8;

/** Needs that give the same results, the fastest first. */
function frugalNeeds(needs: MemoryNeeds, checkpoints = laterCheckpoints(needs)): MemoryNeeds[] {
  const { training, sampling } = needs;
  const batches = sampling ? halvings(sampling.batch, 1) : [0];
  const [most = 0] = batches;
  const many = batches.filter((batch) => batch >= Math.min(FEW_ANSWERS, most));
  const few = batches.slice(many.length);
  const kept: readonly (Checkpoint | null)[] = training?.checkpoint ? checkpoints : [null];
  const choices = [
    ...kept.flatMap((checkpoint) => many.map((batch) => ({ checkpoint, batch }))),
    ...few.map((batch) => ({ checkpoint: kept.at(-1) ?? null, batch })),
  ];
  return choices.map(({ checkpoint, batch }) => ({
    ...needs,
    training: training && { ...training, checkpoint },
    sampling: sampling && { ...sampling, batch },
  }));
}

const laterCheckpoints = ({ training }: MemoryNeeds): readonly Checkpoint[] =>
  training?.checkpoint ? CHECKPOINTS.slice(CHECKPOINTS.indexOf(training.checkpoint)) : [];

/** "1.89 GB" or "12.3 MB". */
export const bytesText = (bytes: number): string => (bytes >= 1e8 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`);

/** "0.99 GB of weights, 0.67 GB of activations ...", the largest first. */
export function describePlan({ total, ...parts }: MemoryPlan): string {
  const sorted = Object.entries(parts).sort(([, a], [, b]) => b - a);
  const named = sorted.filter(([, bytes]) => bytes >= total / 100).map(([name, bytes]) => `${name} ${bytesText(bytes)}`);
  return `${bytesText(total)}${named.length > 0 ? ` (${named.join(", ")})` : ""}`;
}

/**
 * null where the plan fits, else one sentence that says by how much not, and the nearest plan that does: first what changes no result
 * (checkpoint, answers at once), then the dtype, then the lengths.
 */
export function explainRoom(id: string, config: ModelConfig, needs: MemoryNeeds, room: Room): string | null {
  if (fits(config, needs, room)) return null;
  const plan = planMemory(config, needs);
  const { name, bytes } = largestTensor(config, needs);
  const found = smallerNeeds(needs, possibleDtypes(config)).find((smaller) => fits(config, smaller, room));
  const complaint =
    plan.total > room.budget
      ? `more than the budget of ${bytesText(room.budget)}`
      : `${bytesText(bytes)} of it for ${name} in one piece, more than the ${bytesText(room.tensor)} that this GPU binds`;
  const verdict = `${id} needs ${describePlan(plan)} of GPU memory, ${complaint}`;
  if (!found) return `${verdict}, and no dtype, checkpoint or shorter length brings it below: take a smaller model.`;
  return `${verdict}: ${differences(needs, found).join(", ")} would take ${bytesText(planMemory(config, found).total)}.`;
}

/** Needs that take less, the least change first. */
function smallerNeeds(needs: MemoryNeeds, possible: readonly WeightDtype[]): MemoryNeeds[] {
  const { training, sampling } = needs;
  const shares = [1, 2, 4]; // of the lengths
  return shares.flatMap((share) =>
    possible.slice(possible.indexOf(needs.dtype)).flatMap((dtype) =>
      frugalNeeds({
        ...needs,
        dtype,
        training: training && { ...training, tokens: Math.ceil(training.tokens / share) },
        sampling: sampling && { ...sampling, maxNewTokens: Math.ceil(sampling.maxNewTokens / share) },
      }),
    ),
  );
}

function halvings(from: number, to: number): number[] {
  const values: number[] = [];
  for (let value = from; value >= to; value = Math.floor(value / 2)) values.push(value);
  return values;
}

/** What a plan has otherwise than it was asked for: ", with --checkpoint layer-inputs", or nothing. */
export function changesText(asked: MemoryNeeds, found: MemoryNeeds): string {
  const changes = differences(asked, found);
  return changes.length > 0 ? `, with ${changes.join(", ")} to fit` : "";
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
