// What training keeps of the forward pass changes its memory and its work, never a bit of the gradients.
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDevice } from "../../src/gpu/device.ts";
import { Gpu } from "../../src/gpu/gpu.ts";
import {
  activationTensors,
  allocateActivations,
  bytesIn,
  CHECKPOINTS,
  type Checkpoint,
  freeActivations,
} from "../../src/model/activations.ts";
import { adapterFromFile, adapterGradients, freeAdapter } from "../../src/model/lora.ts";
import { freeModel, loadModel } from "../../src/model/model.ts";
import { readAdapter } from "../../src/model/peft.ts";
import { DEFAULT_OPTIONS } from "../../src/train/objectives.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { folder, modelFiles } from "../golden/golden.ts";

let gpu: Gpu;
beforeAll(async () => {
  gpu = new Gpu((await openDevice()).device);
});
afterAll(() => gpu?.destroy());

const ids = (n: number, step: number) => Array.from({ length: n }, (_, i) => (step * (i + 3)) % 300);
const PAIR = { promptIds: ids(9, 7), chosenIds: ids(6, 11), rejectedIds: ids(5, 13) };

test.each(["tiny-qwen2", "tiny-qwen3"])("%s: every checkpoint gives the same gradients, bit for bit", async (name) => {
  const model = await loadModel(gpu, modelFiles(name), { dtype: "f32" });
  const adapter = adapterFromFile(gpu, model, await readAdapter(folder(`dpo/${name}/r8/adapter`), model.config));
  const gradients = async (checkpoint: Checkpoint) => {
    const trainer = new Trainer(gpu, model, adapter, {
      lossType: "sigmoid",
      objective: DEFAULT_OPTIONS,
      schedule: { schedule: "constant", learningRate: 1e-3, warmupSteps: 0, totalSteps: 1 },
      optimizer: { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, maxGradNorm: 1 },
      packTokens: 32,
      checkpoint,
    });
    await trainer.computeGradients([PAIR]);
    trainer.free();
    return adapterGradients(gpu, adapter);
  };
  const all = await gradients("all");
  expect([...all.values()].some(({ data }) => data.some((v) => v !== 0))).toBe(true);
  for (const checkpoint of CHECKPOINTS.slice(1)) expect(await gradients(checkpoint), checkpoint).toEqual(all);
  freeAdapter(gpu, adapter);
  freeModel(gpu, model);
});

test("each checkpoint takes less memory than the one before, and what the plan says", async () => {
  const { config } = await loadModel(gpu, modelFiles("tiny-qwen2"), { dtype: "f32" });
  const sizes = CHECKPOINTS.map((checkpoint) => {
    const options = { tokens: 64, slots: 64, R: 8, training: true, checkpoint };
    const before = gpu.counters.bytes;
    const activations = allocateActivations(gpu, config, options);
    const bytes = gpu.counters.bytes - before;
    freeActivations(gpu, activations);
    expect(bytesIn(activationTensors(config, options)), checkpoint).toBe(bytes);
    return bytes;
  });
  expect(sizes[1]).toBeLessThan(sizes[0]!);
  expect(sizes[2]).toBeLessThan(sizes[1]!);
});
