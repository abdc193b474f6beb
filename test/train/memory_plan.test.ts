// The plan against what is allocated, to the byte, and against the targets of real models.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDevice } from "../../src/gpu/device.ts";
import { Gpu } from "../../src/gpu/gpu.ts";
import { CHECKPOINTS } from "../../src/model/activations.ts";
import { readConfig } from "../../src/model/config.ts";
import { generate } from "../../src/model/generate.ts";
import { createAdapter, freeAdapter } from "../../src/model/lora.ts";
import { freeModel, loadModel } from "../../src/model/model.ts";
import { WEIGHT_DTYPES } from "../../src/model/weight_plan.ts";
import { PROJECTIONS } from "../../src/model/weight_shapes.ts";
import { explainBudget, type MemoryNeeds, planMemory } from "../../src/train/memory_plan.ts";
import { DEFAULT_OPTIONS } from "../../src/train/objectives.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { modelFiles, readJson } from "../golden/golden.ts";

let gpu: Gpu;
beforeAll(async () => {
  gpu = new Gpu((await openDevice()).device);
});
afterAll(() => gpu?.destroy());

const configOf = (name: string) => readConfig(readJson(`configs/${name}.json`), `${name}.json`);
const ALL = [...PROJECTIONS];

describe("equals what is allocated", () => {
  const pair = { promptIds: [1, 2, 3], chosenIds: [4, 5, 316], rejectedIds: [7, 316] };

  test.each([
    ["tiny-llama", "f32", "all"],
    ["tiny-qwen3", "f16", "without-gate-up"],
    ["tiny-llama", "int8", "layer-inputs"],
    ["tiny-llama", "int4", "all"],
  ] as const)("%s in %s, checkpoint %s: training, then sampling", async (name, dtype, checkpoint) => {
    const needs: MemoryNeeds = {
      dtype,
      lora: { r: 6, target_modules: ["q_proj", "down_proj"] },
      training: { tokens: 64, checkpoint },
      sampling: { batch: 2, longestPrompt: 5, maxNewTokens: 3 },
    };
    gpu.counters.peakBytes = 0;
    const model = await loadModel(gpu, modelFiles(name), { dtype });
    const plan = planMemory(model.config, needs);
    expect(gpu.counters.bytes).toBe(plan.weights);
    const adapter = createAdapter(gpu, model, { ...needs.lora!, lora_alpha: 8, use_rslora: false }, 1);
    expect(gpu.counters.bytes).toBe(plan.weights + plan.lora);
    const trainer = new Trainer(gpu, model, adapter, {
      lossType: "sigmoid",
      objective: DEFAULT_OPTIONS,
      schedule: { schedule: "constant", learningRate: 1e-3, warmupSteps: 0, totalSteps: 1 },
      optimizer: { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, maxGradNorm: 1 },
      packTokens: 64,
      checkpoint,
    });
    await trainer.step([pair]);
    expect(gpu.counters.peakBytes).toBe(planMemory(model.config, { ...needs, sampling: null }).total);
    const requests = [1, 2, 3].map((stream) => ({ promptIds: [1, 2, 3, 4, stream], stream }));
    for await (const _ of generate(gpu, model, adapter, requests, { temperature: 1, maxNewTokens: 3, seed: 1, stop: [], batch: 2 }));
    expect(gpu.counters.peakBytes).toBe(plan.total);
    trainer.free();
    freeAdapter(gpu, adapter);
    freeModel(gpu, model);
    expect(gpu.counters.bytes).toBe(0);
  });
});

describe("real models, one pair of 256 + 128 + 128 tokens, r 16 on all projections", () => {
  const training = (dtype: MemoryNeeds["dtype"], checkpoint: (typeof CHECKPOINTS)[number]): MemoryNeeds => ({
    dtype,
    lora: { r: 16, target_modules: ALL },
    training: { tokens: 512, checkpoint },
    sampling: null,
  });

  test.each([
    ["f16", "all", 2.0],
    ["int8", "without-gate-up", 1.1],
    ["int4", "without-gate-up", 0.85],
  ] as const)("Qwen2.5-Coder-0.5B in %s, checkpoint %s: at most %d GB", (dtype, checkpoint, most) => {
    const { total } = planMemory(configOf("Qwen2.5-Coder-0.5B"), training(dtype, checkpoint));
    expect(total / 1e9).toBeLessThanOrEqual(most);
    expect(total / 1e9).toBeGreaterThan(most / 2); // an empty plan would pass, too
  });

  test("each dtype and each checkpoint takes less than the one before", () => {
    const config = configOf("Qwen2.5-Coder-1.5B");
    const totals = WEIGHT_DTYPES.flatMap((dtype) => [planMemory(config, training(dtype, "all")).total]);
    expect(totals.toSorted((a, b) => b - a)).toEqual(totals);
    const kept = CHECKPOINTS.map((checkpoint) => planMemory(config, training("int4", checkpoint)).activations);
    expect(kept.toSorted((a, b) => b - a)).toEqual(kept);
    expect(planMemory(config, training("int4", "layer-inputs")).total).toBeLessThan(2e9); // 1.5B fits beside a desktop
  });

  test("a budget that does not do is answered with what does", () => {
    const config = configOf("Qwen2.5-Coder-0.5B");
    const needs = training("f16", "all");
    expect(explainBudget("Qwen", config, needs, 2e9)).toBeNull();
    expect(explainBudget("Qwen", config, needs, 1.5e9)).toMatch(
      /^Qwen needs 1\.\d\d GB \(weights 0\.99 GB, .*\) of GPU memory, more than the budget of 1\.50 GB: --checkpoint without-gate-up would take 1\.4\d GB\.$/,
    );
    expect(explainBudget("Qwen", config, needs, 1.1e9)).toMatch(/: --dtype int8(, --checkpoint [\w-]+)? would take (1\.0|0\.9)\d GB\.$/);
    expect(explainBudget("Qwen", config, needs, 0.1e9)).toMatch(
      /no dtype, checkpoint or shorter length brings it below: take a smaller model\.$/,
    );
    const sampling = { batch: 64, longestPrompt: 200, maxNewTokens: 160 };
    expect(explainBudget("Qwen", config, { ...needs, training: null, sampling }, 1.6e9)).toMatch(/: \d+ answers at once would take/);
    const odd = readConfig(readJson("models/awkward-qwen2/config.json"), "config.json"); // its rows are no whole groups
    expect(explainBudget("odd", odd, needs, 1e3)).toMatch(/take a smaller model\.$/);
    expect(explainBudget("CodeLlama", configOf("CodeLlama-7b"), needs, 4e9)).toMatch(/take a smaller model\.$/);
  });
});
