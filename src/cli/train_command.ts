// errata train: optimiser steps over a file of pairs.

import type { Engine } from "../ap2o/engine_student.ts";
import { skippedInARow, skippedStep, type Taken } from "../ap2o/health.ts";
import { InputError } from "../input_error.ts";
import { adapterFromFile, createAdapter } from "../model/lora.ts";
import type { Model } from "../model/model.ts";
import { type AdapterFile, type LoraConfig, writeAdapter } from "../model/peft.ts";
import { writeSafetensors } from "../model/safetensors.ts";
import { PROJECTIONS } from "../model/weight_shapes.ts";
import { openReferences } from "../storage/reference_file.ts";
import { PACK_TOKENS, pairTokens } from "../train/logps.ts";
import { bytesText } from "../train/memory_plan.ts";
import { DEFAULT_OPTIONS, OBJECTIVES, readLossType } from "../train/objectives.ts";
import { readFocalMasks, type TokenPair } from "../train/pair.ts";
import { SCHEDULES } from "../train/schedule.ts";
import { Trainer, type TrainingPair, type TrainOptions } from "../train/trainer.ts";
import { anotherEngine } from "./another_engine.ts";
import type { Command } from "./command.ts";
import { diskFolder } from "./disk_folder.ts";
import { choiceFlag, listFlag, numberFlag, switchFlag, textFlag, type Values } from "./flags.ts";
import { LastingTrainer, type Training } from "./lasting_trainer.ts";
import { PAIRS_FLAG, pairsOf, pairsPath } from "./logps_command.ts";
import { ADAPTER_FLAG, MODEL_FLAGS, openEngine, readAdapterFlag } from "./open.ts";
import { OutFolder } from "./out_folder.ts";
import { callerPath, readInput } from "./paths.ts";

const counted = { integer: true, min: 1 } as const;

const flags = {
  ...MODEL_FLAGS,
  ...ADAPTER_FLAG,
  ...PAIRS_FLAG,
  limit: numberFlag("N", "only the first N pairs (all)", null, counted),
  out: textFlag("FOLDER", "where metrics.jsonl and adapter/ go", null),
  steps: numberFlag("N", "optimiser steps (once through the pairs)", null, counted),
  batch: numberFlag("B", "pairs per step", 8, counted),
  "gradient-accumulation-steps": numberFlag("N", "batches per step", 1, counted),
  "learning-rate": numberFlag("X", "the highest learning rate", 1e-4, { min: 0 }),
  "lr-scheduler-type": choiceFlag(SCHEDULES, "how it falls", "linear"),
  "warmup-steps": numberFlag("N", "steps of warm-up, or a share of all steps below 1", 0, { min: 0 }),
  "weight-decay": numberFlag("X", "AdamW's weight decay", 0, { min: 0 }),
  "max-grad-norm": numberFlag("X", "gradients are clipped to this norm; 0 = not", 1, { min: 0 }),
  "loss-type": textFlag("NAME", "one of the losses above", "sigmoid"),
  "focal-masks": textFlag("FILE", "JSON: for each pair {chosen, rejected}, 1 for the tokens that count", null),
  beta: numberFlag("X", "DPO's beta", DEFAULT_OPTIONS.beta, { min: 0 }),
  "label-smoothing": numberFlag("X", "share of labels taken as wrong", DEFAULT_OPTIONS.labelSmoothing, { min: 0, max: 1 }),
  "rpo-alpha": numberFlag("X", "weight of an SFT term on the chosen answers, added to any loss", DEFAULT_OPTIONS.rpoAlpha, { min: 0 }),
  "simpo-gamma": numberFlag("X", "SimPO's target margin", DEFAULT_OPTIONS.simpoGamma),
  "discopop-tau": numberFlag("X", "DiscoPOP's temperature", DEFAULT_OPTIONS.discopopTau, { min: 0 }),
  r: numberFlag("R", "LoRA's rank, without --adapter", 8, counted),
  "lora-alpha": numberFlag("X", "LoRA's alpha, without --adapter", 16, { min: 0 }),
  "target-modules": listFlag("A,B", "the projections that get LoRA, without --adapter", PROJECTIONS, readProjection),
  "use-rslora": switchFlag("scale by alpha / sqrt(r), without --adapter"),
  seed: numberFlag("S", "seed of the new adapter, without --adapter", 0, { integer: true, min: 0 }),
  "dump-grads": textFlag("FILE", "the first step's gradients before clipping, as safetensors with PEFT's names", null),
} as const;

type TrainValues = Values<typeof flags>;

export const trainCommand: Command<typeof flags> = {
  name: "train",
  summary: "optimiser steps over a file of preference pairs",
  description: `Goes through the pairs again and again in the file's order, --batch times --gradient-accumulation-steps a step; the reference is the model with
its adapter off. Writes metrics.jsonl (one line per step, TRL's names) and adapter/ (PEFT); prints the last step's metrics, and the operations of all
steps and their references. The loss sees all pairs of a step at once, so accumulated batches update as one large batch does. What the reference
gives to a pair is computed once: the file references in the folder keeps it for the next training there. Texts are tokenised as errata logps --help
says.

Losses, as means over a step's pairs: c and r are the log-probabilities of chosen and rejected answer, hc and hr the same minus the reference's,
h = hc - hr, nc and nr the lengths in tokens, ε --label-smoothing, γ --simpo-gamma, τ --discopop-tau
${Object.entries(OBJECTIVES)
  .map(([name, { formula }]) => `  ${name.padEnd(26)}${formula}`)
  .join("\n")}

  errata train --pairs RUN/preferences.jsonl --steps 20 --learning-rate 3e-4 --out OUT`,
  flags,
  run: async (values, { print, progress, interrupted }) => {
    if (values.out === null) throw new InputError("Say where the adapter goes: --out FOLDER.");
    const file = pairsPath(values.pairs);
    const text = new TextDecoder().decode(readInput(file, "file of pairs"));
    const lossType = readLossType(values["loss-type"]);
    const out = new OutFolder(callerPath(values.out));

    const perStep = values.batch * values["gradient-accumulation-steps"];
    let pairs: TrainingPair[] = [];
    let packTokens = PACK_TOKENS;
    const engine = await openEngine(values, progress, async (model) => {
      pairs = readTrainingPairs(text, file, values, model);
      packTokens = tokensOfPacks(pairs, perStep);
      const lora = (await readAdapterFlag(values.adapter, model.config))?.config ?? newLora(values);
      return { lora, training: { tokens: packTokens, checkpoint: values.checkpoint } };
    });
    const { id } = engine.model;
    const checkpoint = engine.memory?.checkpoint ?? values.checkpoint; // as the plan has it
    const start = (await readAdapterFlag(values.adapter, engine.model.config)) ?? null;
    out.remove("metrics.jsonl", "adapter"); // only now: --adapter may be the one that lies there
    const references = await openReferences(diskFolder(out.path), "references");
    const steps = values.steps ?? Math.ceil(pairs.length / perStep);
    const begin = (on: Engine): Training => {
      const adapter = start ? adapterFromFile(on.gpu, on.model, start) : createAdapter(on.gpu, on.model, newLora(values), values.seed);
      const options = { ...trainOptions(values, lossType, steps), checkpoint, packTokens, references };
      return { engine: on, adapter, trainer: new Trainer(on.gpu, on.model, adapter, options) };
    };
    const trainer = new LastingTrainer(begin(engine), {
      begin: async (failed) => begin(await anotherEngine(failed.engine, values, progress)),
      kept: (weights) => writeAdapterFolder(out, "adapter", weights, id),
      told: (message) => progress.say(`warning: ${message}`),
      now: () => performance.now(),
    });
    const batchOf = (step: number) => Array.from({ length: perStep }, (_, i) => pairs[(step * perStep + i) % pairs.length]!);

    if (values["dump-grads"] !== null) {
      writeGradients(callerPath(values["dump-grads"]), await trainer.gradients(batchOf(0)));
    }
    const told: Taken[] = [];
    let flops = 0;
    const met = new Set<TrainingPair>();
    for (let step = 0; step < steps && !interrupted.aborted; step++) {
      const started = performance.now();
      const batch = batchOf(step);
      const { tokens, work, bad_tensor, ...metrics } = await trainer.step(batch);
      flops += work.flops;
      batch.forEach((pair, i) => {
        if (!met.has(pair)) flops += work.referenceFlops[i]!;
        met.add(pair);
      });
      const tokens_per_second = tokens / ((performance.now() - started) / 1000);
      const epoch = ((step + 1) * perStep) / pairs.length;
      const line = { step: step + 1, epoch, ...metrics, ...(bad_tensor !== null && { bad_tensor }), tokens_per_second };
      told.push(line);
      out.append("metrics.jsonl", `${JSON.stringify(line)}\n`);
      progress.show(`step ${step + 1} of ${steps}: loss ${metrics.loss.toFixed(4)}, gradient norm ${metrics.grad_norm.toFixed(3)}`);
      const warning = skippedStep(line);
      if (warning !== null) progress.say(`warning: ${warning}`);
      if (skippedInARow(told) !== null) break;
    }
    writeAdapterFolder(out, "adapter", await trainer.weights(), id);
    await references.close();
    progress.say(`GPU memory: at most ${bytesText(trainer.engine.gpu.counters.peakBytes)} were in use`);
    const failure = skippedInARow(told);
    if (failure !== null) throw new InputError(`${failure} ${out.path}/adapter holds the weights as they were before.`);
    print(JSON.stringify({ ...told.at(-1), flops }));
  },
};

function readTrainingPairs(text: string, file: string, values: TrainValues, model: Pick<Model, "config" | "tokenizer">): TrainingPair[] {
  const lossType = readLossType(values["loss-type"]);
  const all = pairsOf(text, file, model);
  const pairs = all.slice(0, values.limit ?? all.length);
  if (!OBJECTIVES[lossType].rejected) return pairs.map((pair) => ({ ...pair, rejectedIds: [] }));
  const without = pairs.findIndex(({ rejectedIds }) => rejectedIds.length === 0);
  if (without >= 0) throw new InputError(`${file}: pair ${without + 1} has no rejected answer, which --loss-type ${lossType} needs.`);
  return lossType === "focal" ? withMasks(pairs, values["focal-masks"]) : pairs;
}

function withMasks(pairs: readonly TokenPair[], path: string | null): TrainingPair[] {
  if (path === null) throw new InputError("--loss-type focal needs the tokens that count: --focal-masks FILE.");
  const file = callerPath(path);
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(readInput(file, "file of masks")));
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${file} is not JSON.`);
  }
  return readFocalMasks(json, file, pairs).map(({ rejected }, i) => ({ ...pairs[i]!, rejectedMask: rejected }));
}

function newLora(values: TrainValues): LoraConfig {
  return {
    r: values.r,
    lora_alpha: values["lora-alpha"],
    target_modules: [...values["target-modules"]],
    use_rslora: values["use-rslora"],
  };
}

/** Tokens of a pack that holds every batch, or the usual ones where batches are larger. */
function tokensOfPacks(pairs: readonly TokenPair[], perStep: number): number {
  const sizes = pairs.map(pairTokens).sort((a, b) => b - a);
  const most = sizes.slice(0, perStep).reduce((sum, size) => sum + size, 0) * Math.ceil(perStep / Math.max(1, sizes.length));
  return Math.max(...sizes, Math.min(PACK_TOKENS, most));
}

function trainOptions(values: TrainValues, lossType: TrainOptions["lossType"], totalSteps: number): TrainOptions {
  return {
    lossType,
    objective: {
      beta: values.beta,
      labelSmoothing: values["label-smoothing"],
      rpoAlpha: values["rpo-alpha"],
      simpoGamma: values["simpo-gamma"],
      discopopTau: values["discopop-tau"],
    },
    schedule: {
      schedule: values["lr-scheduler-type"],
      learningRate: values["learning-rate"],
      warmupSteps: values["warmup-steps"],
      totalSteps,
    },
    optimizer: { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: values["weight-decay"], maxGradNorm: values["max-grad-norm"] },
  };
}

/** Writes an adapter in PEFT's files. */
function writeAdapterFolder(out: OutFolder, folder: string, adapter: AdapterFile, modelId: string): void {
  for (const { path, bytes } of writeAdapter(adapter, modelId)) out.write(`${folder}/${path}`, bytes);
}

function writeGradients(path: string, gradients: AdapterFile["tensors"]): void {
  const tensors = [...gradients].map(([name, { shape, data }]) => ({ name, shape, data }));
  const folder = new OutFolder(path.replace(/[^/\\]*$/, ""));
  folder.write(path.slice(folder.path.length), writeSafetensors(tensors));
}

function readProjection(text: string, flag: string) {
  const projection = PROJECTIONS.find((name) => name === text);
  if (!projection) throw new InputError(`--${flag} takes ${PROJECTIONS.join(", ")}; found ${text}.`);
  return projection;
}
