// Attention, the head, a whole step and sampling, at a model's shape.

import type { Gpu } from "../gpu/gpu.ts";
import { attention } from "../kernels/attention.ts";
import { attentionBackwardDelta } from "../kernels/attention_backward_delta.ts";
import { attentionBackwardQuery } from "../kernels/attention_backward_query.ts";
import { allocateActivations, freeActivations, rowsOf } from "../model/activations.ts";
import { backward, keyValueBackward } from "../model/backward.ts";
import type { ModelConfig } from "../model/config.ts";
import { forward, uploadPack } from "../model/forward.ts";
import { generate } from "../model/generate.ts";
import { allocateHead, freeHead, headBackward, headLogps } from "../model/head.ts";
import { type Adapter, createAdapter, freeAdapter } from "../model/lora.ts";
import type { Model } from "../model/model.ts";
import { type PromptGroup, packGroups, passSize, type TrainingPack } from "../model/pack.ts";
import { PROJECTIONS } from "../model/weight_shapes.ts";
import { DEFAULT_OPTIONS } from "../train/objectives.ts";
import { Trainer } from "../train/trainer.ts";
import { type Call, profile, type Recorder } from "./recorder.ts";
import { type BenchRow, benchRow } from "./rows.ts";
import { secondsOf } from "./timing.ts";

/** Lengths of the pairs that are measured, in tokens. */
export interface PairLengths {
  readonly prompt: number;
  readonly answer: number;
  readonly pairs: number;
}

type Say = (what: string) => void;

const ids = (count: number, step: number, vocabulary: number) => Array.from({ length: count }, (_, i) => (step * (i + 7)) % vocabulary);

const pairOf = ({ prompt, answer }: PairLengths, i: number, V: number) => ({
  promptIds: ids(prompt, 13 + i, V),
  chosenIds: ids(answer, 17 + i, V),
  rejectedIds: ids(answer, 19 + i, V),
});

const adapterOf = (gpu: Gpu, model: Model): Adapter =>
  createAdapter(gpu, model, { r: 16, lora_alpha: 32, target_modules: [...PROJECTIONS], use_rslora: false }, 1);

/** One layer's attention over a pack of one pair, forward and backward. */
export async function benchAttention(gpu: Gpu, config: ModelConfig, lengths: PairLengths): Promise<BenchRow[]> {
  const { heads, kvHeads, headSize: D, vocabulary } = config;
  const { promptIds, chosenIds, rejectedIds } = pairOf(lengths, 0, vocabulary);
  const pack = packGroups([{ promptIds, completions: [chosenIds, rejectedIds] }]);
  const { tokens: T, keys } = passSize(pack);
  const wide = (name: string) => gpu.alloc(name, [T, heads * D]);
  const narrow = (name: string) => gpu.alloc(name, [T, kvHeads * D]);
  const [q, o, d_o, dq] = [wide("q"), wide("o"), wide("d_o"), wide("dq")];
  const [k, v, dk, dv] = [narrow("k"), narrow("v"), narrow("dk"), narrow("dv")];
  const lse = gpu.alloc("lse", [T, heads]);
  const stats = gpu.alloc("stats", [T, heads, 2]);
  const spans = gpu.upload("spans", [T, 4], pack.spans);
  const readers = gpu.upload("readers", [T, 2], pack.readers);
  const ahead = () => attention(gpu, { q, k, v, spans }, { o, lse }, D, keys);
  const back = () => {
    attentionBackwardDelta(gpu, { o, d_o, lse }, { stats }, D);
    attentionBackwardQuery(gpu, { q, k, v, d_o, stats, spans }, { dq }, D, keys);
    keyValueBackward(gpu)(gpu, { q, k, v, d_o, stats, readers }, { dk, dv }, D, keys);
  };
  const shape = `${lengths.prompt}+${lengths.answer}+${lengths.answer}, ${heads}/${kvHeads} heads of ${D}`;
  const operations = keys * heads * D;
  const rows = [
    benchRow("attention forward", shape, { flops: 4 * operations, seconds: await secondsOf(gpu, o, ahead) }),
    benchRow("attention backward", shape, { flops: 10 * operations, seconds: await secondsOf(gpu, dk, back) }),
  ];
  for (const tensor of [q, o, d_o, dq, k, v, dk, dv, lse, stats, spans, readers]) gpu.free(tensor);
  return rows;
}

/** The head over a chunk of predicting rows, log-probabilities alone and with gradients. */
export async function benchHead(gpu: Gpu, model: Model, rows: number, say: Say): Promise<BenchRow[]> {
  const pack = packGroups([{ promptIds: [1], completions: [ids(rows, 5, model.config.vocabulary)] }]);
  const head = allocateHead(gpu, model, { tokens: rows, rows });
  const hidden = gpu.alloc("hidden", [rows, model.config.C]);
  const measured: BenchRow[] = [];
  for (const gradients of [false, true]) {
    const name = gradients ? "head with gradients" : "head";
    say(name);
    await headLogps(gpu, model, head, hidden, pack, gradients); // compiles
    const { seconds, flops, details } = await work(gpu, () => headLogps(gpu, model, head, hidden, pack, gradients));
    const shape = `${rows} rows, ${model.config.vocabulary} x ${model.config.C}`;
    measured.push(benchRow(name, shape, { flops, seconds, details }));
  }
  freeHead(gpu, head);
  gpu.free(hidden);
  return measured;
}

/**
 * Whole optimiser steps with references cached, one for each of the batches.
 * @param kernels whether to measure, too, what takes the time of the last one
 */
export async function benchSteps(
  gpu: Recorder,
  model: Model,
  batches: readonly PairLengths[],
  kernels: boolean,
  say: Say,
): Promise<BenchRow[]> {
  const adapter = adapterOf(gpu, model);
  const rows: BenchRow[] = [];
  let last: BenchRow[] = [];
  for (const lengths of batches) {
    say(`a step of ${describe(model, lengths)}: references and compilation first`);
    const trainer = trainerOf(gpu, model, adapter, lengths);
    const step = () => trainer.step(pairsOf(model, lengths));
    await step();
    let calls: Call[] = [];
    const { flops, seconds, details } = await work(gpu, async () => {
      calls = await gpu.record(step);
    });
    const tokens = lengths.pairs * (lengths.prompt + 2 * (lengths.answer - 1)); // as they lie in the pack
    const perToken = Number(((1e6 * seconds) / tokens).toFixed(0));
    rows.push(benchRow("step", describe(model, lengths), { flops, seconds, details: { ...details, us_per_token: perToken } }));
    if (kernels && lengths === batches.at(-1)) {
      say("the step's kernels, one by one");
      last = await profile(gpu, "step", calls);
    }
    trainer.free();
  }
  freeAdapter(gpu, adapter);
  return [...rows, ...last];
}

/** A pass, forward and backward, with a shared prompt against two sequences; its kernels are there from a step. */
export async function benchPrefix(gpu: Gpu, model: Model, lengths: PairLengths, say: Say): Promise<BenchRow[]> {
  const adapter = adapterOf(gpu, model);
  const groups = pairsOf(model, lengths).map(({ promptIds, chosenIds, rejectedIds }) => ({
    promptIds,
    completions: [chosenIds, rejectedIds],
  }));
  const apart = groups.flatMap(({ promptIds, completions }) => completions.map((completion) => ({ promptIds, completions: [completion] })));
  say("the pass with a shared prompt");
  const shared = await passSeconds(gpu, model, adapter, groups);
  say("the pass as separate sequences");
  const separate = await passSeconds(gpu, model, adapter, apart);
  freeAdapter(gpu, adapter);
  const speedup = Number((separate.seconds / shared.seconds).toFixed(2));
  return [
    benchRow("pass, shared prompt", describe(model, lengths), { ...shared, details: { ...shared.details, speedup } }),
    benchRow("pass, separate sequences", describe(model, lengths), separate),
  ];
}

const pairsOf = ({ config }: Model, lengths: PairLengths) =>
  Array.from({ length: lengths.pairs }, (_, i) => pairOf(lengths, i, config.vocabulary));

const describe = ({ config }: Model, { pairs, prompt, answer }: PairLengths): string =>
  `${pairs} x (${prompt}+${answer}+${answer}), ${config.layers} ${config.layers === 1 ? "layer" : "layers"}, ${config.vocabulary} tokens`;

function trainerOf(gpu: Gpu, model: Model, adapter: Adapter, lengths: PairLengths): Trainer {
  return new Trainer(gpu, model, adapter, {
    lossType: "sigmoid",
    objective: DEFAULT_OPTIONS,
    schedule: { schedule: "constant", learningRate: 1e-4, warmupSteps: 0, totalSteps: 1 },
    optimizer: { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, maxGradNorm: 1 },
    packTokens: lengths.pairs * (lengths.prompt + 2 * lengths.answer),
  });
}

async function passSeconds(gpu: Gpu, model: Model, adapter: Adapter, groups: readonly PromptGroup[]) {
  const pack = packGroups(groups);
  const T = pack.ids.length;
  const activations = allocateActivations(gpu, model.config, { tokens: T, slots: T, R: adapter.R, training: true });
  const head = allocateHead(gpu, model, { tokens: T, rows: pack.rows.length });
  const result = await work(gpu, async () => {
    uploadPack(gpu, activations, pack);
    gpu.write(activations.readers, pack.readers);
    forward(gpu, model, adapter, activations, passSize(pack));
    await headLogps(gpu, model, head, rowsOf(activations.hidden, T), pack, true);
    const dhidden = headBackward(gpu, head, pack, unitDerivatives(pack));
    backward(gpu, model, adapter, activations, dhidden, passSize(pack));
    await gpu.read({ ...adapter.gradients, shape: [1], bytes: 4 });
  });
  freeActivations(gpu, activations);
  freeHead(gpu, head);
  return result;
}

const unitDerivatives = ({ rows }: TrainingPack): Float32Array => new Float32Array(rows.length).fill(1 / rows.length);

/** Answers of `newTokens` tokens to four prompts of `prompt` tokens, batch by batch size. */
export async function benchSample(
  gpu: Gpu,
  model: Model,
  { prompt, newTokens, batches }: { prompt: number; newTokens: number; batches: readonly number[] },
  say: Say,
): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const batch of batches) {
    say(`sampling, batch ${batch}`);
    const requests = Array.from({ length: batch }, (_, i) => ({ promptIds: ids(prompt, 3 + (i % 4), model.config.vocabulary), stream: i }));
    const options = { temperature: 1, maxNewTokens: newTokens, seed: 1, stop: [], batch };
    const sample = async () => {
      for await (const _ of generate(gpu, model, null, requests, options));
    };
    await sample(); // compiles
    const { flops, seconds, details } = await work(gpu, sample);
    const tokens = batch * newTokens;
    const rate = Number((tokens / seconds).toFixed(1));
    const dispatches = Number((details.dispatches / newTokens).toFixed(1));
    const shape = `${batch} x (${prompt}+${newTokens})`;
    rows.push(benchRow("sample", shape, { flops, seconds, details: { tokens_per_second: rate, dispatches_per_token: dispatches } }));
  }
  return rows;
}

/** What takes longer is measured once, else the median of three times counts. */
const LONG_SECONDS = 10;
const ROUNDS = 3;

/** Seconds, operations and dispatches of `run`, whose kernels are there. */
async function work(gpu: Gpu, run: () => Promise<unknown>) {
  const before = { ...gpu.counters };
  const times = [await secondsFor(run)];
  const { flops, dispatches } = gpu.counters;
  while (times[0]! < LONG_SECONDS && times.length < ROUNDS) times.push(await secondsFor(run));
  const seconds = times.sort((a, b) => a - b)[times.length >> 1]!;
  return { seconds, flops: flops - before.flops, details: { dispatches: dispatches - before.dispatches } };
}

async function secondsFor(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}
