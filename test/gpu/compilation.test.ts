// Pipelines are made before the work that needs them, all together: none in the middle of it, where everything would wait for one.
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDevice } from "../../src/gpu/device.ts";
import { Gpu } from "../../src/gpu/gpu.ts";
import { generate } from "../../src/model/generate.ts";
import { createAdapter, freeAdapter } from "../../src/model/lora.ts";
import { freeModel, loadModel, type Model } from "../../src/model/model.ts";
import { PROJECTIONS } from "../../src/model/weight_shapes.ts";
import { DEFAULT_OPTIONS } from "../../src/train/objectives.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { modelFiles } from "../golden/golden.ts";

let gpu: Gpu;
let model: Model;
/** Pipelines that were made where they were needed at once. */
let late = 0;
beforeAll(async () => {
  const { device } = await openDevice();
  const create = device.createComputePipeline.bind(device);
  device.createComputePipeline = (descriptor) => {
    late += 1;
    return create(descriptor);
  };
  gpu = new Gpu(device);
  model = await loadModel(gpu, modelFiles("tiny-qwen2"), { dtype: "f32" });
});
afterAll(() => gpu?.destroy());

const ids = (n: number, step: number) => Array.from({ length: n }, (_, i) => (step * (i + 3)) % 300);
const lora = { r: 4, lora_alpha: 8, target_modules: [...PROJECTIONS], use_rslora: false };

test("sampling, whose batch shrinks from 10 answers to one, makes no pipeline once it has begun", async () => {
  const adapter = createAdapter(gpu, model, lora, 1);
  for (const each of [null, adapter]) {
    const ended: string[] = [];
    const requests = Array.from({ length: 12 }, (_, i) => ({ promptIds: ids(2 + 7 * (i % 3), 7), stream: i }));
    const options = { temperature: 4, maxNewTokens: 48, seed: 1, stop: ["e", "a"], batch: 10 };
    for await (const { ended: how } of generate(gpu, model, each, requests, options)) ended.push(how);
    expect(ended.length, "answers").toBe(12);
  }
  expect(late).toBe(0);
  freeAdapter(gpu, adapter);
});

test("training makes none after its first step has begun, and nothing at all after it", async () => {
  const adapter = createAdapter(gpu, model, lora, 1);
  const trainer = new Trainer(gpu, model, adapter, {
    lossType: "sigmoid",
    objective: DEFAULT_OPTIONS,
    schedule: { schedule: "constant", learningRate: 1e-4, warmupSteps: 0, totalSteps: 3 },
    optimizer: { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, maxGradNorm: 1 },
  });
  const step = () => trainer.step([{ promptIds: ids(5, 7), chosenIds: ids(6, 11), rejectedIds: ids(4, 13) }]);
  await step();
  const { created } = gpu.counters;
  for (let i = 0; i < 2; i++) await step();
  expect([late, gpu.counters.created]).toEqual([0, created]);
  trainer.free();
  freeAdapter(gpu, adapter);
  freeModel(gpu, model);
});
