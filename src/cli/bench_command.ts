// errata bench: how fast the adapter is, and how near to its own best the engine comes.

import { benchGemm, gemmShapes } from "../bench/gemm.ts";
import { benchAttention, benchHead, benchPrefix, benchSample, benchSteps } from "../bench/passes.ts";
import { QWEN_05B, randomModel } from "../bench/random_model.ts";
import { Recorder } from "../bench/recorder.ts";
import { measureRoofline, type Roofline } from "../bench/roofline.ts";
import type { BenchRow } from "../bench/rows.ts";
import { InputError } from "../input_error.ts";
import { type ModelConfig, readConfig } from "../model/config.ts";
import { readJson } from "../model/files.ts";
import { freeModel, type Model } from "../model/model.ts";
import { WEIGHT_DTYPES, type WeightDtype } from "../model/weight_plan.ts";
import { benchJudge } from "./bench_judge.ts";
import type { Command } from "./command.ts";
import { choiceFlag, listFlag, numberFlag, readNumber, switchFlag, type Values } from "./flags.ts";
import { folderFiles } from "./folder.ts";
import { openJaxPeer } from "./jax_peer.ts";
import { openChosen, openGpu } from "./open.ts";
import { DEMO_MODEL } from "./paths.ts";
import type { Progress } from "./progress.ts";

const SUBJECTS = ["gemm", "attention", "head", "step", "sample", "judge"] as const;

const count = (text: string, flag: string) => readNumber(text, flag, { integer: true, min: 1 });

const flags = {
  json: switchFlag("prints JSON"),
  "model-shape": choiceFlag(
    ["qwen2.5-0.5b", "demo"],
    "the shapes of Qwen2.5-Coder-0.5B or of the embedded model; weights are random (qwen2.5-0.5b; sample on a software adapter: demo)",
    null,
  ),
  layers: numberFlag("N", "step, sample: layers of the model, with the same share of its vocabulary (all; 1 on a software adapter)", null, {
    integer: true,
    min: 1,
  }),
  dtype: choiceFlag(WEIGHT_DTYPES, "how weights are kept", "f32"),
  tokens: listFlag("A,B", "gemm: rows of the products (128,512; 128 on a software adapter)", null, count),
  tiles: switchFlag("gemm: measures every tile, not only the chosen one"),
  prompt: listFlag("A,B", "tokens of a prompt; step: of each of several (256; with the demo model 64)", null, count),
  answer: numberFlag("N", "tokens of an answer (128; with the demo model 24)", null, { integer: true, min: 2 }),
  pairs: listFlag("A,B", "step: pairs of a batch, of each of several (1; with the demo model 8)", null, count),
  profile: switchFlag("step: measures each kernel's share of the last one, too"),
  rows: numberFlag("N", "head: predicting rows (64; 16 on a software adapter)", null, { integer: true, min: 1 }),
  batches: listFlag("A,B", "sample: answers at once", [1, 8, 32, 64], count),
  peer: choiceFlag(["jax-js", "onnxruntime-web"], "gemm: measures the same products there, too; onnxruntime-web: both in Chromium", null),
} as const;

export type BenchValues = Values<typeof flags>;

export const benchCommand: Command<typeof flags> & { readonly subjects: typeof SUBJECTS } = {
  name: "bench",
  summary: "how fast the GPU is, and how near to its best the engine comes",
  description: `errata bench ${SUBJECTS.join("|")}

Measures products, attention, the head, a training step, sampling or judging. Beside the figures stands what the adapter can do at best: multiply-adds
from registers alone, the fastest product, the rate of a copy, the cost of a dispatch. Operations are counted from the shapes. A step is also
measured as a pass with a shared prompt against two sequences. Fewer layers come with as much less of the vocabulary, so that products, attention and
head keep their shares.

  errata bench gemm --tokens 128,512 --peer jax-js
  errata bench step --model-shape demo --pairs 1,2,4,8 --profile --json`,
  flags,
  subjects: SUBJECTS,
  run: async (values, { print, progress }, subject) => {
    const { machine, rows } = await benchmark(subject, values, progress);
    const lines = values.json
      ? [JSON.stringify({ ...(machine && { adapter: machine.adapter, roofline: machine.roofline }), rows })]
      : [...(machine ? [describeMachine(machine), ""] : []), ...table(rows)];
    for (const line of lines) print(line);
  },
};

/** The figures of a subject, and of what machine they are: none where only the judge works. */
export async function benchmark(
  subject: string,
  values: BenchValues,
  progress: Progress,
): Promise<{ machine: Measured | null; rows: BenchRow[] }> {
  if (subject === "gemm" && values.peer === "onnxruntime-web") {
    const { benchInChromium } = await import("./ort_peer.ts"); // Vite and Playwright take a while to load
    const { adapter, roofline, rows } = await benchInChromium(gemmShapes(...(await gemmSettings(values))), progress);
    return { machine: { adapter, roofline }, rows: withShares(roofline, rows) };
  }
  const machine = subject === "judge" ? null : await openMachine(progress);
  return { machine, rows: await measure(machine, subject, values, progress) };
}

/** Opens the device, with the kernels that the engine would take there, and measures what it can do at best. */
export async function openMachine(progress: Progress): Promise<Machine> {
  const open = async () => {
    const { gpu, adapter } = await openGpu();
    return { gpu: new Recorder(gpu.device), adapter };
  };
  const { gpu, adapter } = await openChosen(open, progress);
  progress.show("the adapter's own rates");
  return { gpu, adapter, roofline: await measureRoofline(gpu) };
}

/**
 * The figures of a subject. The machine's fastest product is measured before them where none was yet.
 * @param machine null for judging alone
 */
export async function measure(machine: Machine | null, subject: string, values: BenchValues, progress: Progress): Promise<BenchRow[]> {
  if (!machine) return benchJudge(progress);
  if (values.peer !== null && subject !== "gemm") throw new InputError(`--peer ${values.peer} is for bench gemm.`);
  const { gpu, roofline } = machine;
  const say = (what: string) => progress.show(what);
  if (subject !== "gemm" && roofline.gemm_gflops === 0) {
    say("the fastest product");
    const shapes = gemmShapes(QWEN_05B, [gpu.software ? 128 : 512]).slice(0, 2);
    takeFastest(roofline, await benchGemm(gpu, shapes, { peer: null, tiles: false, say }));
  }
  const measured = await MEASURES[subject as keyof typeof MEASURES](gpu, await settingsOf(subject, values, gpu.software), say);
  return subject === "gemm" ? withShares(roofline, measured) : share(roofline, measured);
}

function withShares(roofline: Roofline, products: BenchRow[]): BenchRow[] {
  takeFastest(roofline, products);
  return share(roofline, products);
}

function share({ gemm_gflops }: Roofline, rows: BenchRow[]): BenchRow[] {
  for (const row of rows) if (row.gflop > 0) row.share_of_gemm = row.gflops / gemm_gflops;
  return rows;
}

/** In Chromium: of few rows, unless told, since nobody knows its adapter here. */
async function gemmSettings(values: BenchValues): Promise<[ModelConfig, readonly number[]]> {
  const { config, tokens } = await settingsOf("gemm", values, true);
  return [config, tokens];
}

function takeFastest(roofline: Roofline, products: readonly BenchRow[]): void {
  roofline.gemm_gflops = products.reduce((most, { gflops }) => Math.max(most, gflops), roofline.gemm_gflops);
}

/** What is measured: the flags, and for those that were not given what ends within two minutes on the adapter. */
async function settingsOf(subject: string, values: BenchValues, software: boolean) {
  const shape = values["model-shape"] ?? (subject === "sample" && software ? "demo" : "qwen2.5-0.5b");
  const demo = shape === "demo";
  const config = demo ? readConfig(await readJson(await folderFiles(DEMO_MODEL), "config.json"), DEMO_MODEL) : QWEN_05B;
  const layers = values.layers ?? (software && !demo ? 1 : config.layers);
  return {
    ...values,
    config,
    part: { ...config, layers, vocabulary: Math.round((config.vocabulary * layers) / config.layers) },
    tokens: values.tokens ?? (software ? [128] : [128, 512]),
    rows: values.rows ?? (software ? 16 : 64),
    prompts: values.prompt ?? [demo ? 64 : 256],
    answer: values.answer ?? (demo ? 24 : 128),
    pairs: values.pairs ?? [demo ? 8 : 1],
  };
}

type Settings = Awaited<ReturnType<typeof settingsOf>>;
type Say = (what: string) => void;

const MEASURES = {
  gemm: async (gpu: Recorder, { config, tokens, tiles, peer }: Settings, say: Say) =>
    benchGemm(gpu, gemmShapes(config, tokens), { peer: peer === null ? null : await openJaxPeer(), tiles, say }),
  attention: async (gpu: Recorder, { config, prompts, answer }: Settings) =>
    inTurn(prompts, (prompt) => benchAttention(gpu, config, { prompt, answer, pairs: 1 })),
  head: (gpu: Recorder, { config, dtype, rows }: Settings, say: Say) =>
    withModel(gpu, { ...config, layers: 0 }, dtype, (model) => benchHead(gpu, model, rows, say)),
  step: (gpu: Recorder, { part, dtype, prompts, answer, pairs, profile }: Settings, say: Say) =>
    withModel(gpu, part, dtype, async (model) => {
      const batches = pairs.flatMap((count) => prompts.map((prompt) => ({ pairs: count, prompt, answer })));
      const steps = await benchSteps(gpu, model, batches, profile, say);
      return [...steps, ...(await benchPrefix(gpu, model, batches.at(-1)!, say))];
    }),
  sample: (gpu: Recorder, { part, dtype, prompts, answer, batches }: Settings, say: Say) =>
    withModel(gpu, part, dtype, (model) =>
      inTurn(prompts, (prompt) => benchSample(gpu, model, { prompt, newTokens: answer, batches }, say)),
    ),
} as const;

async function withModel(
  gpu: Recorder,
  config: ModelConfig,
  dtype: WeightDtype,
  measureIt: (model: Model) => Promise<BenchRow[]>,
): Promise<BenchRow[]> {
  const model = randomModel(gpu, "random", config, dtype);
  try {
    return await measureIt(model);
  } finally {
    freeModel(gpu, model);
  }
}

async function inTurn<T>(items: readonly T[], rowsOf: (item: T) => Promise<BenchRow[]>): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const item of items) rows.push(...(await rowsOf(item)));
  return rows;
}

/** What an adapter can do at best. */
export interface Measured {
  readonly adapter: { readonly description: string; readonly vendor: string; readonly architecture: string };
  readonly roofline: Roofline;
}

/** An open device, too. */
export interface Machine extends Measured {
  readonly gpu: Recorder;
}

/** "NAME: multiply-adds 3.5 GFLOP/s, ..." */
export function describeMachine({ adapter, roofline }: Measured): string {
  const { register_gflops, gemm_gflops, copy_gbps, dispatch_us } = roofline;
  const rates = [
    `multiply-adds ${register_gflops.toFixed(1)} GFLOP/s`,
    `fastest product ${gemm_gflops.toFixed(1)} GFLOP/s`,
    `copy ${copy_gbps.toFixed(1)} GB/s`,
    `dispatch ${dispatch_us.toFixed(1)} us`,
  ];
  return `${adapter.description || `${adapter.vendor} ${adapter.architecture}`}: ${rates.join(", ")}`;
}

/** The rows as a Markdown table, a string per line. */
export function table(rows: readonly BenchRow[]): string[] {
  const head = ["what", "shape", "GFLOP", "s", "GFLOP/s", "of product", "peer", "ratio", "more"];
  const body = rows.map((row) => [
    row.name,
    row.shape,
    row.gflop.toFixed(2),
    row.seconds.toPrecision(3),
    row.gflops.toFixed(2),
    row.share_of_gemm === null ? "" : `${Math.round(100 * row.share_of_gemm)} %`,
    row.peer_gflops === null ? "" : `${row.peer} ${row.peer_gflops.toFixed(2)}`,
    row.ratio === null ? "" : row.ratio.toFixed(2),
    Object.entries(row.details)
      .map(([name, value]) => `${name} ${value}`)
      .join(", "),
  ]);
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...body.map(line)];
}
