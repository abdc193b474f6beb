// Log-probabilities of pairs, in packs that fit a workspace: the prompt of a pair runs once for both of its answers.

import { type Gpu, NotFinite } from "../gpu/gpu.ts";
import {
  type Activations,
  type ActivationsOptions,
  allocateActivations,
  type Checkpoint,
  freeActivations,
  rowsOf,
} from "../model/activations.ts";
import { firstBadTensor } from "../model/first_bad.ts";
import { forward, uploadPack } from "../model/forward.ts";
import { allocateHead, freeHead, type HeadBuffers, type HeadSizes, headLogps } from "../model/head.ts";
import type { Adapter } from "../model/lora.ts";
import type { Model } from "../model/model.ts";
import { packGroups, passSize, type TrainingPack } from "../model/pack.ts";
import type { TokenPair } from "./pair.ts";

/** Per-token log-probabilities of a pair's completions. `rejected` is empty where the pair has none (SFT). */
export interface CompletionLogps {
  readonly chosen: Float32Array;
  readonly rejected: Float32Array;
}

/** What a pass tells of a pair. Statistics are [n, 4] as rowStatistics gives them, empty of a pass without gradients. */
export interface CompletionRows extends CompletionLogps {
  readonly chosenStatistics: Float32Array;
  readonly rejectedStatistics: Float32Array;
}

/** GPU memory for packs of up to `tokens` tokens. */
export interface Workspace {
  readonly tokens: number;
  readonly activations: Activations;
  readonly head: HeadBuffers;
}

/** @param checkpoint what the forward pass leaves for a backward pass; null: there will be none */
export function allocateWorkspace(gpu: Gpu, model: Model, R: number, tokens: number, checkpoint: Checkpoint | null = "all"): Workspace {
  const { activations, head } = workspaceSizes(R, tokens, checkpoint);
  return { tokens, activations: allocateActivations(gpu, model.config, activations), head: allocateHead(gpu, model, head) };
}

/** What allocateWorkspace allocates. */
export function workspaceSizes(
  R: number,
  tokens: number,
  checkpoint: Checkpoint | null,
): { activations: ActivationsOptions; head: HeadSizes } {
  return {
    activations: { tokens, slots: tokens, R, training: checkpoint !== null, ...(checkpoint && { checkpoint }) },
    head: { tokens, rows: tokens + 2 * MAX_PAIRS }, // a completion has one row more than it has tokens to read
  };
}

export function freeWorkspace(gpu: Gpu, { activations, head }: Workspace): void {
  freeActivations(gpu, activations);
  freeHead(gpu, head);
}

/** Most pairs of one pack: bounds the head's rows. */
const MAX_PAIRS = 256;

/** Tokens that a pair takes in a pack. */
export const pairTokens = ({ promptIds, chosenIds, rejectedIds }: TokenPair): number =>
  promptIds.length + Math.max(chosenIds.length - 1, 0) + Math.max(rejectedIds.length - 1, 0);

/** Splits pairs, in their order, into packs of at most `tokens` tokens; a longer pair stands alone. */
export function splitPairs(pairs: readonly TokenPair[], tokens: number): TokenPair[][] {
  const packs: TokenPair[][] = [];
  let used = Number.POSITIVE_INFINITY;
  for (const pair of pairs) {
    const size = pairTokens(pair);
    if (used + size > tokens || packs.at(-1)!.length === MAX_PAIRS) {
      packs.push([]);
      used = 0;
    }
    packs.at(-1)!.push(pair);
    used += size;
  }
  return packs;
}

/** The pack of some pairs: sequences 2i and 2i + 1 are pair i's chosen and rejected completion (only chosen where there is no other). */
export function packPairs(pairs: readonly TokenPair[]): TrainingPack {
  return packGroups(
    pairs.map(({ promptIds, chosenIds, rejectedIds }) => ({
      promptIds,
      completions: [chosenIds, rejectedIds],
    })),
  );
}

/** Runs a pack; with `gradients` the workspace is left ready for the backward pass. */
export async function runPack(
  gpu: Gpu,
  model: Model,
  adapter: Adapter | null,
  { activations, head }: Workspace,
  pack: TrainingPack,
  gradients: boolean,
): Promise<CompletionRows[]> {
  const T = pack.ids.length;
  uploadPack(gpu, activations, pack);
  if (gradients) gpu.write(activations.readers, pack.readers);
  forward(gpu, model, adapter, activations, passSize(pack));
  const { logps, statistics } = await headLogps(gpu, model, head, rowsOf(activations.hidden, T), pack, gradients);
  const logpsOf = ([from, to]: readonly [number, number]) => logps.slice(from, to);
  const statisticsOf = ([from, to]: readonly [number, number]) => statistics.slice(4 * from, 4 * to);
  return Array.from({ length: pack.sequences.length / 2 }, (_, i) => {
    const chosen = pack.sequences[2 * i]!;
    const rejected = pack.sequences[2 * i + 1]!;
    return {
      chosen: logpsOf(chosen),
      rejected: logpsOf(rejected),
      chosenStatistics: statisticsOf(chosen),
      rejectedStatistics: statisticsOf(rejected),
    };
  });
}

/**
 * Per-token log-probabilities of pairs; `adapter` null: the reference. Tokens are predicted from all before them, at temperature 1.
 * @throws NotFinite where one is NaN or infinity, with the tensor that went bad first
 */
export async function pairLogps(gpu: Gpu, model: Model, adapter: Adapter | null, pairs: readonly TokenPair[]): Promise<CompletionLogps[]> {
  if (pairs.length === 0) return [];
  const tokens = Math.max(PACK_TOKENS, ...pairs.map(pairTokens));
  const workspace = allocateWorkspace(gpu, model, adapter?.R ?? 4, tokens, null);
  try {
    const out: CompletionLogps[] = [];
    for (const some of splitPairs(pairs, tokens)) {
      const pass = () => runPack(gpu, model, adapter, workspace, packPairs(some), false);
      const logps = await pass();
      if (logps.some(({ chosen, rejected }) => ![...chosen, ...rejected].every(Number.isFinite))) throw await notFinite(gpu, pass);
      out.push(...logps);
    }
    return out;
  } finally {
    freeWorkspace(gpu, workspace);
  }
}

async function notFinite(gpu: Gpu, pass: () => Promise<unknown>): Promise<NotFinite> {
  const first = (await firstBadTensor(gpu, pass)) ?? "none when they were computed again";
  return new NotFinite(`log-probabilities are NaN or infinity; first bad tensor: ${first}`);
}

/** Tokens of a pack where pairs are shorter. */
export const PACK_TOKENS = 1024;
