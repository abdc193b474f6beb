// Batched sampling from a key/value cache. A prompt is prefilled once and shared by all its samples; tokens are chained on the GPU
// and read back every few steps; a finished sample's place goes to the next request. What is drawn for a request depends on
// (seed, its stream, how many tokens it has) alone, and no sum depends on the batch: same seed, same answers, in any order.

import { type Gpu, NotFinite } from "../gpu/gpu.ts";
import { numel, type Tensor } from "../gpu/tensor.ts";
import { InputError } from "../input_error.ts";
import { advanceRows } from "../kernels/advance_rows.ts";
import { sampleToken } from "../kernels/sample_token.ts";
import { sumOfSquares } from "../kernels/sum_of_squares.ts";
import { sumPartials } from "../kernels/sum_partials.ts";
import {
  type Activations,
  type ActivationsOptions,
  type Allocate,
  allocateActivations,
  freeActivations,
  type PlannedTensor,
  plannedTensors,
  rowsOf,
} from "./activations.ts";
import { type ModelConfig, positions } from "./config.ts";
import { type DecodeSize, decodeForward, layOutParts } from "./decode.ts";
import { firstBadTensor } from "./first_bad.ts";
import { forward, uploadPack } from "./forward.ts";
import type { Adapter } from "./lora.ts";
import type { Model } from "./model.ts";
import { type Pack, passSize } from "./pack.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { drawWork, forwardWork, prefillWork } from "./work.ts";

export interface SampleRequest {
  readonly promptIds: readonly number[];
  /** Random stream of this answer: streamOf("exam/Demo/3/17"). */
  readonly stream: number;
}

export interface Sampled {
  /** Index into the requests. */
  readonly index: number;
  /** Sampled ids; without the end token. Cut behind the token that completed a stop string. */
  readonly ids: number[];
  /** Their text, cut before the stop string. */
  readonly text: string;
  readonly ended: "stop" | "end_token" | "length";
  /** Operations of drawing it (what was drawn behind its end included, until that was seen), and of its prompt's prefill. */
  readonly flops: number;
  readonly promptFlops: number;
}

export interface GenerateOptions {
  /** 0 is greedy. */
  readonly temperature: number;
  readonly maxNewTokens: number;
  readonly seed: number;
  /** An answer ends before the first of these. */
  readonly stop: readonly string[];
  /** Samples in flight at once; 64 unless told. */
  readonly batch?: number;
  readonly signal?: AbortSignal;
}

const STEPS_PER_READBACK = 8;
/** Parts in which the logits are looked at. */
const PARTIALS = 1024;
const PREFILL_TOKENS = 512;

/** A sample in flight. */
interface Row {
  readonly index: number;
  readonly request: SampleRequest;
  readonly prompt: Prompt;
  /** First slot of the sample's own keys: the prompt's last token, then what was sampled. */
  readonly ownStart: number;
  readonly ids: number[];
}

/** A prefilled prompt: all but its last token, which each sample reads as its first. */
interface Prompt {
  readonly key: string;
  readonly start: number;
  readonly length: number;
  users: number;
}

/** What sampling `batch` answers at once allocates: a prompt's slots and its own for each, and room to prefill prompts in packs. */
export function samplingSizes(batch: number, longestPrompt: number, maxNewTokens: number, R = 4): ActivationsOptions {
  return {
    tokens: Math.max(batch, PREFILL_TOKENS, longestPrompt),
    slots: batch * (longestPrompt + maxNewTokens),
    R,
    training: false,
  };
}

/** Samples an answer to every request; yields each as it ends, in a deterministic order. */
export async function* generate(
  gpu: Gpu,
  model: Model,
  adapter: Adapter | null,
  requests: readonly SampleRequest[],
  options: GenerateOptions,
): AsyncGenerator<Sampled> {
  const { maxNewTokens } = options;
  checkRequests(model, requests, maxNewTokens);
  if (requests.length === 0) return;
  const batch = Math.min(options.batch ?? 64, requests.length);
  const longestPrompt = requests.reduce((most, { promptIds }) => Math.max(most, promptIds.length), 0);
  const promptSlots = longestPrompt - 1; // a prompt's last token is read anew by each of its samples
  const ownSlots = maxNewTokens + 1;
  const ownBase = batch * promptSlots;
  const activations = allocateActivations(gpu, model.config, samplingSizes(batch, longestPrompt, maxNewTokens, adapter?.R));
  const state = layOutState(model.config, { batch, longestPrompt, maxNewTokens }, (name, shape, dtype) => gpu.alloc(name, shape, dtype));
  try {
    await gpu.compile(() => {
      const capacity = activations.ids.shape[0]!; // of a prefill
      for (const tokens of promptSlots > 0 ? kernelRows(capacity) : []) forward(gpu, model, adapter, activations, { tokens, keys: 0 });
      for (const tokens of kernelRows(batch)) {
        for (const longest of [1, longestPrompt + maxNewTokens]) {
          decodeStep(gpu, model, adapter, activations, state, { tokens, keys: 0, longest }, options);
        }
      }
      countBadLogits(gpu, state, batch);
    });
    const work = forwardWork(gpu, model, adapter, activations, state.logits);
    const rows: Row[] = [];
    const prompts = new Map<string, Prompt>();
    const freePrompts = Array.from({ length: batch }, (_, i) => (batch - 1 - i) * promptSlots);
    const freeOwn = Array.from({ length: batch }, (_, i) => ownBase + (batch - 1 - i) * ownSlots);
    let next = 0;
    while (next < requests.length || rows.length > 0) {
      options.signal?.throwIfAborted();
      const fresh: Prompt[] = [];
      const freshIds: (readonly number[])[] = [];
      while (rows.length < batch && next < requests.length) {
        const request = requests[next]!;
        const key = request.promptIds.join();
        let prompt = prompts.get(key);
        if (!prompt) {
          prompt = { key, start: freePrompts.pop()!, length: request.promptIds.length - 1, users: 0 };
          prompts.set(key, prompt);
          fresh.push(prompt);
          freshIds.push(request.promptIds);
        }
        prompt.users += 1;
        rows.push({ index: next, request, prompt, ownStart: freeOwn.pop()!, ids: [] });
        next += 1;
      }
      prefill(gpu, model, adapter, activations, fresh, freshIds);
      await decode(gpu, model, adapter, activations, state, rows, options);
      for (let i = 0; i < rows.length; ) {
        const row = rows[i]!;
        const ended = ending(model, row, options);
        if (!ended) {
          i += 1;
          continue;
        }
        rows.splice(i, 1);
        freeOwn.push(row.ownStart);
        row.prompt.users -= 1;
        if (row.prompt.users === 0) {
          prompts.delete(row.prompt.key);
          freePrompts.push(row.prompt.start);
        }
        const { length } = row.request.promptIds;
        yield { ...ended, flops: drawWork(work, length, row.ids.length), promptFlops: prefillWork(work, length) };
      }
    }
  } finally {
    freeActivations(gpu, activations);
    for (const tensor of Object.values(state)) gpu.free(tensor);
  }
}

/** Numbers of rows that stand for all up to `most`: kernels differ from 4 to 5, from 8 to 9 and from 64 to 65 rows. */
const kernelRows = (most: number): Set<number> => new Set([4, 8, 64, most].map((rows) => Math.min(rows, most)));

function checkRequests({ id, config }: Model, requests: readonly SampleRequest[], maxNewTokens: number): void {
  for (const { promptIds } of requests) {
    if (promptIds.length === 0) throw new InputError("A prompt is empty: it needs at least one token.");
    const bad = promptIds.find((token) => !Number.isInteger(token) || token < 0 || token >= config.vocabulary);
    if (bad !== undefined)
      throw new InputError(`The prompt has token ${bad}, but ${id} has ${config.vocabulary} tokens (0 to ${config.vocabulary - 1}).`);
    const length = promptIds.length + maxNewTokens;
    if (length > positions(config)) {
      throw new InputError(
        `A prompt of ${promptIds.length} tokens and ${maxNewTokens} new ones exceed ${id}'s context of ${positions(config)}: lower --max-new-tokens.`,
      );
    }
  }
}

/** What decoding keeps on the GPU besides the activations, for B rows. */
interface DecodeState {
  readonly logits: Tensor; // [B, V]
  readonly parts: Tensor; // of decodeForward
  readonly tokens: Tensor; // u32 [B]
  readonly streams: Tensor; // u32 [B]
  readonly counts: Tensor; // u32 [B]
  readonly limits: Tensor; // u32 [B]
  readonly history: Tensor; // u32 [B, maxNewTokens]
  /** For counting NaN and infinity among the logits. */
  readonly partials: Tensor; // [P, 2]
  readonly sums: Tensor; // [2]
}

interface DecodeNeeds {
  readonly batch: number;
  readonly longestPrompt: number;
  readonly maxNewTokens: number;
}

/** What decoding allocates besides the activations. */
export const decodeTensors = (config: ModelConfig, needs: DecodeNeeds): PlannedTensor[] =>
  plannedTensors((alloc) => layOutState(config, needs, alloc));

function layOutState(config: ModelConfig, { batch: B, longestPrompt, maxNewTokens }: DecodeNeeds, alloc: Allocate): DecodeState {
  return {
    logits: alloc("logits", [B, config.vocabulary]),
    parts: layOutParts(config, B, longestPrompt + maxNewTokens, alloc),
    tokens: alloc("tokens", [B], "u32"),
    streams: alloc("streams", [B], "u32"),
    counts: alloc("counts", [B], "u32"),
    limits: alloc("limits", [B], "u32"),
    history: alloc("history", [B, maxNewTokens], "u32"),
    partials: alloc("partial sums", [PARTIALS, 2]),
    sums: alloc("sums", [2]),
  };
}

/** Writes the prompts' keys and values into the cache, all but each prompt's last token. */
function prefill(
  gpu: Gpu,
  model: Model,
  adapter: Adapter | null,
  activations: Activations,
  prompts: readonly Prompt[],
  promptIds: readonly (readonly number[])[],
): void {
  const capacity = activations.ids.shape[0]!;
  for (let i = 0; i < prompts.length; ) {
    const tokens: { id: number; position: number; slot: number; start: number }[] = [];
    while (i < prompts.length && tokens.length + prompts[i]!.length <= capacity) {
      const { start, length } = prompts[i]!;
      for (let p = 0; p < length; p++) tokens.push({ id: promptIds[i]![p]!, position: p, slot: start + p, start });
      i += 1;
    }
    if (tokens.length === 0) continue;
    const pack = {
      ids: Uint32Array.from(tokens, (t) => t.id),
      positions: Uint32Array.from(tokens, (t) => t.position),
      slots: Uint32Array.from(tokens, (t) => t.slot),
      spans: Uint32Array.from(tokens.flatMap((t) => [0, 0, t.start, t.slot + 1])),
    };
    uploadPack(gpu, activations, pack);
    forward(gpu, model, adapter, activations, passSize(pack));
  }
}

/** Samples up to STEPS_PER_READBACK tokens for every row and appends them to its ids. */
async function decode(
  gpu: Gpu,
  model: Model,
  adapter: Adapter | null,
  activations: Activations,
  state: DecodeState,
  rows: readonly Row[],
  { temperature, maxNewTokens, seed }: GenerateOptions,
): Promise<void> {
  const steps = () => decodeSteps(gpu, model, adapter, activations, state, rows, { temperature, maxNewTokens, seed });
  steps();
  countBadLogits(gpu, state, rows.length);
  const [sampled, [, bad = 0]] = await Promise.all([gpu.readU32(state.history), gpu.read(state.sums)]);
  // Text drawn from them would look like any other; what went bad before stays bad in the keys and values, so the last logits tell.
  if (bad > 0) {
    const first = (await firstBadTensor(gpu, async () => steps())) ?? "none when they were written again";
    throw new NotFinite(`${bad} logits are NaN or infinity while answers are written; first bad tensor: ${first}`);
  }
  rows.forEach((row, b) => {
    const to = Math.min(row.ids.length + STEPS_PER_READBACK, maxNewTokens);
    for (let i = row.ids.length; i < to; i++) row.ids.push(sampled[b * maxNewTokens + i]!);
  });
}

/** Records the passes that sample up to STEPS_PER_READBACK tokens for every row: the same ones as often as it is called. */
function decodeSteps(
  gpu: Gpu,
  model: Model,
  adapter: Adapter | null,
  activations: Activations,
  state: DecodeState,
  rows: readonly Row[],
  { temperature, maxNewTokens, seed }: Pick<GenerateOptions, "temperature" | "maxNewTokens" | "seed">,
): void {
  const B = rows.length;
  const pack = packRows(rows);
  uploadPack(gpu, activations, pack);
  const { keys } = passSize(pack);
  const longestRow = Math.max(...rows.map(({ prompt, ids }) => prompt.length + ids.length + 1));
  gpu.write(
    state.streams,
    Uint32Array.from(rows, (r) => r.request.stream),
  );
  gpu.write(
    state.counts,
    Uint32Array.from(rows, (r) => r.ids.length),
  );
  gpu.write(state.limits, new Uint32Array(B).fill(maxNewTokens));
  const longest = Math.min(...rows.map((r) => r.ids.length));
  for (let step = 0; step < Math.min(STEPS_PER_READBACK, maxNewTokens - longest); step++) {
    const size = { tokens: B, keys: keys + step * B, longest: longestRow + step };
    decodeStep(gpu, model, adapter, activations, state, size, { temperature, seed });
  }
}

/** Leaves in `sums` how many of the first rows' logits are NaN or infinity. */
function countBadLogits(gpu: Gpu, { logits, partials, sums }: DecodeState, rows: number): void {
  const x = rowsOf(logits, rows);
  sumOfSquares(gpu, { x: { ...x, shape: [numel(x.shape)] } }, { partials });
  sumPartials(gpu, { partials }, { sums });
}

/** One token for each of the first rows: a pass, a draw, and what the next pass reads. */
function decodeStep(
  gpu: Gpu,
  model: Model,
  adapter: Adapter | null,
  activations: Activations,
  state: DecodeState,
  size: DecodeSize,
  draw: { temperature: number; seed: number },
): void {
  const view = (t: Tensor) => rowsOf(t, size.tokens);
  const [logits, tokens, streams, counts] = [view(state.logits), view(state.tokens), view(state.streams), view(state.counts)];
  decodeForward(gpu, model, adapter, activations, { parts: state.parts, logits }, size);
  sampleToken(gpu, { logits, streams, counts }, { tokens }, draw);
  const next = {
    ids: view(activations.ids),
    positions: view(activations.positions),
    slots: view(activations.slots),
    spans: view(activations.spans),
  };
  advanceRows(gpu, { tokens, limits: view(state.limits) }, { ...next, counts, history: view(state.history) });
}

/** Every row's next token to read: the prompt's last one, or the last one sampled. */
function packRows(rows: readonly Row[]): Pack {
  return {
    ids: Uint32Array.from(rows, ({ ids, request }) => ids.at(-1) ?? request.promptIds.at(-1)!),
    positions: Uint32Array.from(rows, ({ ids, prompt }) => prompt.length + ids.length),
    slots: Uint32Array.from(rows, ({ ids, ownStart }) => ownStart + ids.length),
    spans: Uint32Array.from(
      rows.flatMap(({ ids, prompt, ownStart }) => [prompt.start, prompt.start + prompt.length, ownStart, ownStart + ids.length + 1]),
    ),
  };
}

/** How a row ended, or null while it goes on. Of an end token and a stop string the first counts. */
function ending(
  { config, tokenizer }: Model,
  row: Row,
  { stop, maxNewTokens }: GenerateOptions,
): Omit<Sampled, "flops" | "promptFlops"> | null {
  const end = row.ids.findIndex((id) => config.eosTokenIds.includes(id));
  const ids = end < 0 ? row.ids : row.ids.slice(0, end);
  const text = tokenizer.decode(ids);
  if (stop.some((s) => text.includes(s))) return { index: row.index, ...cutAtStop(tokenizer, ids, stop), ended: "stop" };
  if (end >= 0) return { index: row.index, ids, text, ended: "end_token" };
  return row.ids.length === maxNewTokens ? { index: row.index, ids, text, ended: "length" } : null;
}

/** The ids up to the one that completed the first stop string, and the text before that string: whatever else was sampled since. */
function cutAtStop(tokenizer: Tokenizer, ids: readonly number[], stop: readonly string[]): { ids: number[]; text: string } {
  for (let n = 1; ; n++) {
    const text = tokenizer.decode(ids.slice(0, n));
    const cuts = stop.map((s) => text.indexOf(s)).filter((at) => at >= 0);
    if (cuts.length > 0 || n === ids.length) return { ids: ids.slice(0, n), text: text.slice(0, Math.min(...cuts, text.length)) };
  }
}
