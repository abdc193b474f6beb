// The plan against what is allocated, to the byte, and against the targets of real models.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDevice } from "../../src/gpu/device.ts";
import { Gpu } from "../../src/gpu/gpu.ts";
import { InputError } from "../../src/input_error.ts";
import { CHECKPOINTS } from "../../src/model/activations.ts";
import { readConfig } from "../../src/model/config.ts";
import { generate } from "../../src/model/generate.ts";
import { createAdapter, freeAdapter } from "../../src/model/lora.ts";
import { freeModel, loadModel } from "../../src/model/model.ts";
import { WEIGHT_DTYPES } from "../../src/model/weight_plan.ts";
import { PROJECTIONS } from "../../src/model/weight_shapes.ts";
import { explainRoom, fittingNeeds, type MemoryNeeds, planMemory, planToFit } from "../../src/train/memory_plan.ts";
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

describe("what does not fit", () => {
  const config = configOf("Qwen2.5-Coder-0.5B");
  const everything = Number.POSITIVE_INFINITY;
  const needs = (tokens: number): MemoryNeeds => ({
    dtype: "f16",
    lora: { r: 16, target_modules: ALL },
    training: { tokens, checkpoint: "all" },
    sampling: { batch: 64, longestPrompt: 256, maxNewTokens: 256 },
  });

  test("a tensor larger than what the adapter binds is named before anything is allocated, with what would fit", () => {
    const room = { budget: everything, tensor: 2 ** 27 };
    expect(explainRoom("Qwen", config, needs(3449), room)).toBeNull();
    expect(explainRoom("Qwen", config, needs(3450), room)).toMatch(
      /^Qwen needs \d.* GB \(.*activations .*\) of GPU memory, 0\.13 GB of it for gate and up in one piece, more than the 0\.13 GB that this GPU binds: packs of 1725 tokens, .* would take \d.* GB\.$/,
    );
    expect(() => planToFit("Qwen", config, needs(3450), room)).toThrow(InputError);
    expect(explainRoom("Qwen", config, needs(64), { ...room, tensor: 1000 })).toMatch(
      /more than the 0\.0 MB that this GPU binds, and no dtype/,
    );
  });

  test("the plan keeps less of a pass and writes fewer answers at once, the fastest choice that fits", () => {
    const total = (changed: MemoryNeeds) => planMemory(config, changed).total;
    const choice = (budget: number) => {
      const found = fittingNeeds(config, needs(1024), { budget, tensor: everything });
      return found && [found.training?.checkpoint, found.sampling?.batch];
    };
    const asked = needs(1024);
    const sampled = (batch: number) => ({ ...asked, sampling: { ...asked.sampling!, batch } });
    const kept = (checkpoint: (typeof CHECKPOINTS)[number], batch: number) => ({
      ...sampled(batch),
      training: { tokens: 1024, checkpoint },
    });
    expect(choice(everything)).toEqual(["all", 64]);
    expect(choice(total(sampled(8)))).toEqual(["all", 8]);
    expect(choice(total(sampled(8)) - 1)).toEqual(["without-gate-up", 64]);
    expect(choice(total(kept("layer-inputs", 8)) - 1)).toEqual(["layer-inputs", 4]);
    expect(choice(total(kept("layer-inputs", 1)) - 1)).toBeNull();
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
    expect(explainRoom("Qwen", config, needs, { budget: 2e9, tensor: Infinity })).toBeNull();
    expect(explainRoom("Qwen", config, needs, { budget: 1.5e9, tensor: Infinity })).toMatch(
      /^Qwen needs 1\.\d\d GB \(weights 0\.99 GB, .*\) of GPU memory, more than the budget of 1\.50 GB: --checkpoint without-gate-up would take 1\.4\d GB\.$/,
    );
    expect(explainRoom("Qwen", config, needs, { budget: 1.1e9, tensor: Infinity })).toMatch(
      /: --dtype int8(, --checkpoint [\w-]+)? would take (1\.0|0\.9)\d GB\.$/,
    );
    expect(explainRoom("Qwen", config, needs, { budget: 0.1e9, tensor: Infinity })).toMatch(
      /no dtype, checkpoint or shorter length brings it below: take a smaller model\.$/,
    );
    const sampling = { batch: 64, longestPrompt: 200, maxNewTokens: 160 };
    expect(explainRoom("Qwen", config, { ...needs, training: null, sampling }, { budget: 1.6e9, tensor: Infinity })).toMatch(
      /: \d+ answers at once would take/,
    );
    const odd = readConfig(readJson("models/awkward-qwen2/config.json"), "config.json"); // its rows are no whole groups
    expect(explainRoom("odd", odd, needs, { budget: 1e3, tensor: Infinity })).toMatch(/take a smaller model\.$/);
    expect(explainRoom("CodeLlama", configOf("CodeLlama-7b"), needs, { budget: 4e9, tensor: Infinity })).toMatch(/take a smaller model\.$/);
  });
});
