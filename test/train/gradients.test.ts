// LoRA gradients of whole losses against PyTorch and PEFT, for every family and adapter; then ten optimiser steps.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDevice } from "../../src/gpu/device.ts";
import { Gpu } from "../../src/gpu/gpu.ts";
import { adapterFromFile, adapterGradients, adapterToFile, freeAdapter } from "../../src/model/lora.ts";
import { freeModel, loadModel, type Model } from "../../src/model/model.ts";
import { readAdapter } from "../../src/model/peft.ts";
import { DEFAULT_OPTIONS, type LossType } from "../../src/train/objectives.ts";
import { Trainer, type TrainingPair, type TrainOptions } from "../../src/train/trainer.ts";
import { folder, MODELS, modelFiles, readJson, readSafetensors, readTokenPairs } from "../golden/golden.ts";
import { nmse } from "../gpu.ts";

let gpu: Gpu;
beforeAll(async () => {
  gpu = new Gpu((await openDevice()).device);
});
afterAll(() => gpu?.destroy());

const goldenPairs = (name: string): TrainingPair[] => readTokenPairs(`dpo/${name}/pairs.jsonl`);

const options = (lossType: LossType): TrainOptions => ({
  lossType,
  objective: DEFAULT_OPTIONS,
  schedule: { schedule: "linear", learningRate: 1e-3, warmupSteps: 1, totalSteps: 10 },
  optimizer: { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, maxGradNorm: 1 },
});

type Golden = "dpo" | "sft" | "focal";
const ALL: Golden[] = ["dpo", "sft", "focal"];

/** Which adapters and objectives have golden gradients in the repository. */
const CASES: Record<(typeof MODELS)[number], [adapter: string, ...Golden[]][]> = {
  "tiny-qwen2": [
    ["r4", ...ALL],
    ["r8", ...ALL],
    ["r8-zero", ...ALL],
    ["r8-rslora", ...ALL],
    ["r8-qv", ...ALL],
  ],
  "awkward-qwen2": [
    ["r4", ...ALL],
    ["r8", ...ALL],
    ["r8-zero", ...ALL],
    ["r8-rslora", ...ALL],
    ["r8-qv", ...ALL],
  ],
  "tiny-llama": [
    ["r4", "dpo"],
    ["r8", ...ALL],
    ["r8-zero", "dpo"],
  ],
  "tiny-llama3": [["r8", ...ALL]],
  "tiny-codellama": [["r8", ...ALL]],
  "tiny-qwen3": [
    ["r4", "dpo"],
    ["r8", ...ALL],
    ["r8-zero", "dpo"],
  ],
};

describe.each(MODELS)("gradients of %s", (name) => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(gpu, modelFiles(name), { dtype: "f32" });
  });
  afterAll(() => freeModel(gpu, model));

  test.each(CASES[name])("%s", async (adapterName, ...objectives) => {
    const adapter = adapterFromFile(gpu, model, await readAdapter(folder(`dpo/${name}/${adapterName}/adapter`), model.config));
    const losses = readJson<Record<string, { loss: number }>>(`dpo/${name}/${adapterName}/losses.json`);
    const masks = readJson<{ rejected: number[] }[]>(`dpo/${name}/focal_masks.json`);
    for (const golden of objectives) {
      const plain = goldenPairs(name);
      const pairs =
        golden === "focal"
          ? plain.map((pair, i) => ({ ...pair, rejectedMask: masks[i]!.rejected }))
          : golden === "sft"
            ? plain.map((pair) => ({ ...pair, rejectedIds: [] }))
            : plain;
      const trainer = new Trainer(gpu, model, adapter, options(golden === "dpo" ? "sigmoid" : golden));
      const { loss } = await trainer.computeGradients(pairs);
      expect(Math.abs(loss - losses[golden]!.loss), `${golden} loss`).toBeLessThan(1e-5);
      const got = await adapterGradients(gpu, adapter);
      const want = readSafetensors(`dpo/${name}/${adapterName}/grads_${golden}.safetensors`);
      expect([...got.keys()].sort()).toEqual([...want.keys()].sort());
      for (const [tensor, { data }] of want) expect(nmse(got.get(tensor)!.data, data), `${golden} ${tensor}`).toBeLessThanOrEqual(1e-8);
      trainer.free();
    }
    freeAdapter(gpu, adapter);
  });
});

test("masks on both sides (the paper's known failure): PyTorch's loss and gradient norm", async () => {
  const model = await loadModel(gpu, modelFiles("tiny-qwen2"), { dtype: "f32" });
  const adapter = adapterFromFile(gpu, model, await readAdapter(folder("dpo/tiny-qwen2/r8/adapter"), model.config));
  const { focal_both: want } = readJson<{ focal_both: { loss: number; grad_norm: number } }>("dpo/tiny-qwen2/r8/losses.json");
  const masks = readJson<{ chosen: number[]; rejected: number[] }[]>("dpo/tiny-qwen2/focal_masks.json");
  const trainer = new Trainer(gpu, model, adapter, options("focal"));
  const pairs = goldenPairs("tiny-qwen2").map((pair, i) => ({ ...pair, chosenMask: masks[i]!.chosen, rejectedMask: masks[i]!.rejected }));
  const { loss } = await trainer.computeGradients(pairs);
  const squares = [...(await adapterGradients(gpu, adapter)).values()].flatMap(({ data }) => [...data].map((value) => value * value));
  expect(Math.abs(loss - want.loss)).toBeLessThan(1e-5);
  expect(Math.abs(Math.sqrt(squares.reduce((sum, value) => sum + value, 0)) / want.grad_norm - 1)).toBeLessThan(1e-4);
  trainer.free();
  freeAdapter(gpu, adapter);
  freeModel(gpu, model);
});

interface OptimRun {
  schedule: "linear" | "cosine" | "constant";
  weight_decay: number;
  max_grad_norm: number;
  metrics: Record<string, number>[];
}

test.each([
  ["linear_wd0", "tiny-qwen2", "r8", [1, 5, 10], 1e-5],
  ["linear_wd0.01", "tiny-qwen2", "r8", [10], 1e-5],
  ["cosine_wd0", "tiny-qwen2", "r8", [10], 1e-5],
  ["constant_wd0.1_unclipped", "tiny-qwen2", "r8", [1, 5, 10], 1e-5],
  // From B = 0 Adam's first steps divide gradients near zero by their own size: rounding noise shows more.
  ["awkward_zero_linear_wd0", "awkward-qwen2", "r8-zero", [1, 5, 10], 1e-4],
] as const)("ten AdamW steps: %s", async (run, name, adapterName, goldenSteps, tolerance) => {
  const golden = readJson<OptimRun>(`optim/${run}/run.json`);
  const schedule = run.startsWith("cosine") ? "cosine" : run.startsWith("constant") ? "constant" : "linear";
  const weightDecay = Number(run.match(/wd([\d.]+)/)![1]);
  const model = await loadModel(gpu, modelFiles(name), { dtype: "f32" });
  const adapter = adapterFromFile(gpu, model, await readAdapter(folder(`dpo/${name}/${adapterName}/adapter`), model.config));
  const base = options("sigmoid");
  const trainer = new Trainer(gpu, model, adapter, {
    ...base,
    schedule: { ...base.schedule, schedule },
    optimizer: { ...base.optimizer, weightDecay, maxGradNorm: run.endsWith("unclipped") ? 0 : 1 },
  });
  const pairs = goldenPairs(name);
  for (let step = 1; step <= 10; step++) {
    const batch = [pairs[(2 * step - 2) % 4]!, pairs[(2 * step - 1) % 4]!];
    const metrics: Record<string, number> = { ...(await trainer.step(batch)) };
    for (const [key, want] of Object.entries(golden.metrics[step - 1]!)) {
      if (key === "step") continue;
      expect(Math.abs(metrics[key]! - want), `step ${step} ${key}`).toBeLessThan(1e-4 * Math.max(1, Math.abs(want)));
    }
    if (!goldenSteps.some((s) => s === step)) continue;
    const { tensors } = await adapterToFile(gpu, adapter);
    let entries = 0;
    let strays = 0;
    for (const [tensor, { data }] of readSafetensors(`optim/${run}/adapter_step${step}.safetensors`)) {
      const got = tensors.get(tensor)!.data;
      const largest = data.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
      entries += data.length;
      strays += data.reduce((n, v, i) => n + Number(Math.abs(got[i]! - v) > tolerance * largest), 0);
    }
    // Adam divides a gradient by its own size: an entry whose gradient is rounding noise may move either way in a correct program.
    expect(strays, `step ${step}: entries off by more than ${tolerance} of ${entries}`).toBeLessThanOrEqual(entries / 1000);
  }
  trainer.free();
  freeAdapter(gpu, adapter);
  freeModel(gpu, model);
});

test("a batch in several packs gives the gradients of one pack", async () => {
  const model = await loadModel(gpu, modelFiles("tiny-qwen2"), { dtype: "f32" });
  const adapter = adapterFromFile(gpu, model, await readAdapter(folder("dpo/tiny-qwen2/r8/adapter"), model.config));
  const [pair] = goldenPairs("tiny-qwen2");
  const long = {
    ...pair!,
    chosenIds: Array.from({ length: 60 }, (_, i) => (7 * i) % 300),
    rejectedIds: Array.from({ length: 40 }, (_, i) => (11 * i) % 300),
  };
  const trainer = new Trainer(gpu, model, adapter, { ...options("sigmoid"), packTokens: 128 });
  await trainer.computeGradients([pair!]);
  const one = await adapterGradients(gpu, adapter);
  await trainer.computeGradients([long]);
  const two = await adapterGradients(gpu, adapter);
  await trainer.computeGradients([pair!, long, pair!]);
  const both = await adapterGradients(gpu, adapter);
  for (const [name, { data }] of both) {
    const want = data.map((_, i) => (2 * one.get(name)!.data[i]! + two.get(name)!.data[i]!) / 3);
    expect(nmse(data, want), name).toBeLessThan(1e-9);
  }
  trainer.free();
  for (const lossType of ["sigmoid", "sft", "aot"] as const) {
    const [whole, apart] = [1024, 128].map((packTokens) => new Trainer(gpu, model, adapter, { ...options(lossType), packTokens }));
    const { loss } = await whole!.computeGradients([pair!, long, pair!]);
    const want = await adapterGradients(gpu, adapter);
    expect((await apart!.computeGradients([pair!, long, pair!])).loss).toBeCloseTo(loss, 6);
    for (const [name, { data }] of await adapterGradients(gpu, adapter)) {
      expect(Math.sqrt(nmse(data, want.get(name)!.data)), `${lossType}: ${name}`).toBeLessThan(1e-6);
    }
    for (const each of [whole!, apart!]) each.free();
  }
  freeAdapter(gpu, adapter);
  freeModel(gpu, model);
});
