// How far Errata is from PyTorch on the golden data, and PyTorch's own float32 from float64: what docs/results/exact.md tabulates.
import type { Gpu } from "../../src/gpu/gpu.ts";
import { rowsOf } from "../../src/model/activations.ts";
import type { ModelFiles } from "../../src/model/files.ts";
import { type Adapter, adapterFromFile, adapterGradients, adapterToFile, freeAdapter } from "../../src/model/lora.ts";
import { multiply } from "../../src/model/matrix.ts";
import type { Model } from "../../src/model/model.ts";
import { packGroups } from "../../src/model/pack.ts";
import { readAdapter } from "../../src/model/peft.ts";
import { bytesSource, f16BitsToF32, f32ToF16Bits, writeSafetensors } from "../../src/model/safetensors.ts";
import { allocateWorkspace, type CompletionLogps, freeWorkspace, pairLogps, runPack } from "../../src/train/logps.ts";
import { DEFAULT_OPTIONS, type LossType } from "../../src/train/objectives.ts";
import { readPairs, type TokenPair } from "../../src/train/pair.ts";
import type { Schedule } from "../../src/train/schedule.ts";
import { Trainer, type TrainingPair } from "../../src/train/trainer.ts";
import { folder, type LogpsLine, modelFiles, readBytes, readJson, readJsonLines, readSafetensors, readTokenPairs } from "./golden.ts";

/** The largest absolute and the normalised mean square error over everything that was compared. */
export class Distance {
  max = 0;
  #error = 0;
  #power = 0;

  add(got: ArrayLike<number>, want: ArrayLike<number>): void {
    if (got.length !== want.length) throw new Error(`${got.length} values cannot be compared with ${want.length}`);
    for (let i = 0; i < want.length; i++) {
      const error = Math.abs(got[i]! - want[i]!);
      if (!(error <= this.max)) this.max = error; // NaN stays
      this.#error += error ** 2;
      this.#power += want[i]! ** 2;
    }
  }

  get nmse(): number {
    return this.#power === 0 ? this.#error : this.#error / this.#power;
  }
}

export function distanceOf(got: ArrayLike<number>, want: ArrayLike<number>): Distance {
  const distance = new Distance();
  distance.add(got, want);
  return distance;
}

/** What one comparison came to: Errata against PyTorch's float32, and that against PyTorch's float64 where the golden data has it. */
export interface Measured {
  ours: Distance;
  theirs: Distance | null;
}

const both = (): { ours: Distance; theirs: Distance } => ({ ours: new Distance(), theirs: new Distance() });

interface Sequence {
  ids: number[];
  label_logps: number[];
  label_logps_f64: number[];
}

/** Logits of every position, and hidden states layer by layer, of the golden sequences. */
export async function measureForward(gpu: Gpu, model: Model, name: string): Promise<{ logits: Measured; hidden: Map<string, Distance> }> {
  const { sequences } = readJson<{ sequences: Sequence[] }>(`forward/${name}.json`);
  const golden = readSafetensors(`forward/${name}.safetensors`);
  const tokens = Math.max(...sequences.map(({ ids }) => ids.length));
  const workspace = allocateWorkspace(gpu, model, 4, tokens);
  const logitsTensor = gpu.alloc("logits of every token", [tokens, model.config.vocabulary]);
  const logits = both();
  const hidden = new Map<string, Distance>();
  const { layers, last, hidden: normed } = workspace.activations;
  for (const [s, { ids }] of sequences.entries()) {
    const T = ids.length;
    await runPack(gpu, model, null, workspace, packGroups([{ promptIds: ids, completions: [ids.slice(0, 1), []] }]), false);
    multiply(gpu, { x: rowsOf(normed, T), matrix: model.head }, { y: rowsOf(logitsTensor, T) });
    const want = golden.get(`${s}.logits`)!.data;
    logits.ours.add(await gpu.read(rowsOf(logitsTensor, T)), want);
    logits.theirs.add(want, golden.get(`${s}.logits_f64`)!.data);
    const states = new Map([
      ...layers.map(({ x }, i) => [`hidden.${i}`, x] as const),
      [`hidden.${layers.length}`, last],
      ["hidden.norm", normed],
    ]);
    for (const [key, tensor] of states) {
      const state = golden.get(`${s}.${key}`);
      if (!state) continue; // only the traced sequence has them
      hidden.set(key, distanceOf(await gpu.read(rowsOf(tensor, T)), state.data));
    }
  }
  gpu.free(logitsTensor);
  freeWorkspace(gpu, workspace);
  return { logits, hidden };
}

export async function openGoldenAdapter(gpu: Gpu, model: Model, path: string): Promise<Adapter> {
  return adapterFromFile(gpu, model, await readAdapter(folder(`${path}/adapter`), model.config));
}

const sum = (values: Float32Array) => values.reduce((total, value) => total + value, 0);

/** Log-probabilities of pairs with an adapter and without: per token, and sums. `file` is one of the case's golden files. */
export async function measureLogps(
  gpu: Gpu,
  model: Model,
  name: string,
  lora: string,
  file = "logps",
): Promise<{ tokens: Measured; sums: Measured }> {
  const adapter = await openGoldenAdapter(gpu, model, `dpo/${name}/${lora}`);
  const pairs = readTokenPairs(`dpo/${name}/pairs${file.endsWith("_edge") ? "_edge" : ""}.jsonl`);
  const policy = await pairLogps(gpu, model, adapter, pairs);
  const reference = await pairLogps(gpu, model, null, pairs);
  freeAdapter(gpu, adapter);
  const golden = readJsonLines<LogpsLine>(`dpo/${name}/${lora}/${file}.jsonl`);
  const exact = file === "logps" ? readJson<{ logps_f64: LogpsLine[] }>(`dpo/${name}/${lora}/losses.json`).logps_f64 : null;
  const [tokens, sums] = [both(), both()];
  for (const [i, want] of golden.entries()) {
    for (const side of ["chosen", "rejected"] as const) {
      const got = { policy: policy[i]![side], reference: reference[i]![side] };
      tokens.ours.add(got.policy, want[`${side}_token_logps`]);
      sums.ours.add([sum(got.policy), sum(got.reference)], [want[`${side}_logp`], want[`ref_${side}_logp`]]);
      if (!exact) continue;
      tokens.theirs.add(want[`${side}_token_logps`], exact[i]![`${side}_token_logps`]);
      sums.theirs.add([want[`${side}_logp`], want[`ref_${side}_logp`]], [exact[i]![`${side}_logp`], exact[i]![`ref_${side}_logp`]]);
    }
  }
  return exact ? { tokens, sums } : { tokens: { ...tokens, theirs: null }, sums: { ...sums, theirs: null } };
}

export type GoldenLoss = "dpo" | "sft" | "focal";

/** LoRA gradients of a whole loss: the largest NMSE of a tensor, and PyTorch's own. */
export async function measureGradients(
  gpu: Gpu,
  model: Model,
  name: string,
  lora: string,
  loss: GoldenLoss,
): Promise<{ ours: number; theirs: number }> {
  const adapter = await openGoldenAdapter(gpu, model, `dpo/${name}/${lora}`);
  const trainer = new Trainer(gpu, model, adapter, trainOptions(loss === "dpo" ? "sigmoid" : loss));
  await trainer.computeGradients(pairsOfLoss(name, loss));
  trainer.free();
  const got = await adapterGradients(gpu, adapter);
  freeAdapter(gpu, adapter);
  const golden = readSafetensors(`dpo/${name}/${lora}/grads_${loss}.safetensors`);
  const errors = [...golden].map(([tensor, { data }]) => distanceOf(got.get(tensor)!.data, data).nmse);
  const ours = Math.max(...errors);
  const losses = readJson<Record<GoldenLoss, { grads_nmse_f32_vs_f64: number }>>(`dpo/${name}/${lora}/losses.json`);
  return { ours, theirs: losses[loss].grads_nmse_f32_vs_f64 };
}

function pairsOfLoss(name: string, loss: GoldenLoss): TrainingPair[] {
  const pairs = readTokenPairs(`dpo/${name}/pairs.jsonl`);
  if (loss === "dpo") return pairs;
  if (loss === "sft") return pairs.map((pair) => ({ ...pair, rejectedIds: [] }));
  const masks = readJson<{ rejected: number[] }[]>(`dpo/${name}/focal_masks.json`);
  return pairs.map((pair, i) => ({ ...pair, rejectedMask: masks[i]!.rejected }));
}

interface Settings {
  schedule: Schedule;
  learningRate: number;
  warmupSteps: number;
  weightDecay: number;
  maxGradNorm: number;
}

const PLAIN: Settings = { schedule: "linear", learningRate: 1e-3, warmupSteps: 1, weightDecay: 0, maxGradNorm: 1 };

function trainOptions(lossType: LossType, { schedule, learningRate, warmupSteps, weightDecay, maxGradNorm } = PLAIN) {
  return {
    lossType,
    objective: DEFAULT_OPTIONS,
    schedule: { schedule, learningRate, warmupSteps, totalSteps: 10 },
    optimizer: { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay, maxGradNorm },
  };
}

/** Ten steps of batches of two, in the pairs' order: every metric of the golden run, and the adapter in the end. */
export async function measureSteps(
  gpu: Gpu,
  model: Model,
  adapterPath: string,
  pairs: readonly TokenPair[],
  golden: { metrics: readonly Record<string, number>[]; adapter: string; settings: Settings },
): Promise<{ metrics: Map<string, Distance>; adapter: Distance }> {
  const adapter = await openGoldenAdapter(gpu, model, adapterPath);
  const trainer = new Trainer(gpu, model, adapter, trainOptions("sigmoid", golden.settings));
  const metrics = new Map<string, Distance>();
  for (const [step, want] of golden.metrics.entries()) {
    const batch = [0, 1].map((i) => pairs[(2 * step + i) % pairs.length]!);
    const got: Record<string, number> = { ...(await trainer.step(batch)) };
    for (const [key, value] of Object.entries(want)) {
      if (key === "step" || key === "epoch") continue;
      const distance = metrics.get(key) ?? new Distance();
      distance.add([got[key] ?? Number.NaN], [value]);
      metrics.set(key, distance);
    }
  }
  const { tensors } = await adapterToFile(gpu, adapter);
  trainer.free();
  freeAdapter(gpu, adapter);
  const weights = new Distance();
  for (const [name, { data }] of readSafetensors(golden.adapter)) weights.add(tensors.get(name)!.data, data);
  return { metrics, adapter: weights };
}

/** What one of the golden optimiser runs was made with. */
export function optimizerRun(run: string) {
  const { metrics, f32_vs_f64 } = readJson<{
    metrics: Record<string, number>[];
    f32_vs_f64: { loss_max_abs: number; adapter_max_abs: Record<string, number>; adapter_nmse: Record<string, number> };
  }>(`optim/${run}/run.json`);
  const schedule: Schedule = run.includes("cosine") ? "cosine" : run.includes("constant") ? "constant" : "linear";
  const weightDecay = Number(/wd([\d.]+)/.exec(run)![1]);
  const settings = { ...PLAIN, schedule, weightDecay, maxGradNorm: run.endsWith("unclipped") ? 0 : 1 };
  const [name, lora] = run.startsWith("awkward") ? ["awkward-qwen2", "r8-zero"] : ["tiny-qwen2", "r8"];
  return { name, lora, metrics, theirs: f32_vs_f64, adapter: `optim/${run}/adapter_step10.safetensors`, settings };
}

/** What one of TRL's own runs was made with: ids, text or chat. */
export function trlRun(run: string, model: Model) {
  const settings = readJson<{ adapter: string; pairs: Record<string, string> }>("trl/settings.json");
  const file = settings.pairs[run]!;
  return {
    lora: settings.adapter.replace(/\/adapter$/, ""),
    pairs: readPairs(new TextDecoder().decode(readBytes(file)), file, model.tokenizer, model.config),
    metrics: readJsonLines<Record<string, number>>(`trl/${run}/metrics.jsonl`),
    adapter: `trl/${run}/adapter_step10.safetensors`,
    settings: PLAIN,
  };
}

/** A golden model with its weights rounded to half precision, but stored as float32. */
export function roundedModelFiles(name: string): ModelFiles {
  const files = modelFiles(name);
  return {
    id: `${name}, rounded`,
    open: async (path) => {
      if (path !== "model.safetensors") return files.open(path);
      const tensors = [...readSafetensors(`models/${name}/${path}`)].map(([name, { shape, data }]) => ({
        name,
        shape,
        data: f16BitsToF32(f32ToF16Bits(data)),
      }));
      return bytesSource(path, writeSafetensors(tensors));
    },
  };
}

/** The largest distance of two models' log-probabilities. */
export function logpsDistance(got: readonly CompletionLogps[], want: readonly CompletionLogps[]): Distance {
  const distance = new Distance();
  got.forEach(({ chosen, rejected }, i) => {
    distance.add(chosen, want[i]!.chosen);
    distance.add(rejected, want[i]!.rejected);
  });
  return distance;
}
