// Nothing is made anew in the steady state, memory stays as it is, and no submit is long.
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDevice } from "../../src/gpu/device.ts";
import { Gpu } from "../../src/gpu/gpu.ts";
import { linear } from "../../src/kernels/linear.ts";
import { createAdapter, freeAdapter } from "../../src/model/lora.ts";
import { freeModel, loadModel } from "../../src/model/model.ts";
import { DEFAULT_OPTIONS } from "../../src/train/objectives.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { modelFiles } from "../golden/golden.ts";
import { countingDevice } from "../model/counting_device.ts";

let gpu: Gpu;
beforeAll(async () => {
  gpu = new Gpu((await openDevice()).device);
});
afterAll(() => gpu?.destroy());

const ids = (n: number, step: number) => Array.from({ length: n }, (_, i) => (step * (i + 3)) % 300);

test("200 steps on pairs of changing lengths: constant bytes, and nothing is created after the first two", async () => {
  const model = await loadModel(gpu, modelFiles("tiny-qwen2"), { dtype: "f32" });
  const config = { r: 4, lora_alpha: 8, target_modules: ["q_proj"] as "q_proj"[], use_rslora: false };
  const adapter = createAdapter(gpu, model, config, 1);
  const trainer = new Trainer(gpu, model, adapter, {
    lossType: "sigmoid",
    objective: DEFAULT_OPTIONS,
    schedule: { schedule: "constant", learningRate: 1e-4, warmupSteps: 0, totalSteps: 200 },
    optimizer: { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, maxGradNorm: 1 },
    packTokens: 24,
  });
  const step = (i: number) =>
    trainer.step([{ promptIds: ids(3 + (i % 3), 7), chosenIds: ids(3 + (i % 4), 11), rejectedIds: ids(2 + (i % 2), 13) }]);
  for (let i = 0; i < 2; i++) await step(i);
  const { bytes, created } = gpu.counters;
  for (let i = 2; i < 200; i++) await step(i);
  expect([gpu.counters.bytes, gpu.counters.created]).toEqual([bytes, created]);
  trainer.free();
  freeAdapter(gpu, adapter);
  freeModel(gpu, model);
}, 120_000);

test("submits are cut by the work that they hold", () => {
  const counting = new Gpu(countingDevice());
  const x = counting.alloc("x", [500, 1000]);
  const weight = counting.alloc("weight", [1000, 1000]);
  const y = counting.alloc("y", [500, 1000]);
  for (let i = 0; i < 50; i++) linear(counting, { x, weight }, { y }); // a GFLOP each
  counting.submit();
  expect(counting.counters.submits).toBe(10);
});

test("compile makes the kernels of what would run, and runs nothing", async () => {
  const inputs = {
    x: gpu.upload("x", [2, 4], new Float32Array(8).fill(1)),
    weight: gpu.upload("weight", [3, 4], new Float32Array(12).fill(2)),
  };
  const y = gpu.alloc("y", [2, 3]);
  const before = { ...gpu.counters };
  await gpu.compile(() => {
    gpu.write(y, new Float32Array(6).fill(7));
    linear(gpu, inputs, { y }, { scale: 3, tall: true });
  });
  expect(gpu.counters).toEqual({ ...before, created: before.created + 1 });
  expect([...(await gpu.read(y))]).toEqual([0, 0, 0, 0, 0, 0]);
  linear(gpu, inputs, { y }, { scale: 3, tall: true });
  expect([...(await gpu.read(y))]).toEqual([24, 24, 24, 24, 24, 24]);
  await expect(gpu.compile(() => gpu.run("linear", {}, {}, { constants: { NONE: 1 }, workgroups: [1] }))).rejects.toThrow(
    "the kernel linear cannot be made",
  );
  for (const tensor of [inputs.x, inputs.weight, y]) gpu.free(tensor);
});
