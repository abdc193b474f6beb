// NaN put into a tensor: the step is skipped, and that tensor is named in the same step.
import { expect, test } from "vitest";
import { openDevice } from "../../src/gpu/device.ts";
import { Gpu, GpuFailure } from "../../src/gpu/gpu.ts";
import type { Tensor } from "../../src/gpu/tensor.ts";
import { generate } from "../../src/model/generate.ts";
import { createAdapter } from "../../src/model/lora.ts";
import { loadModel } from "../../src/model/model.ts";
import { pairLogps } from "../../src/train/logps.ts";
import { DEFAULT_OPTIONS } from "../../src/train/objectives.ts";
import { tokenizePair } from "../../src/train/pair.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { modelFiles } from "../golden/golden.ts";

const NAN = Float32Array.of(Number.NaN);
const lesson = { prompt: "def f(x):\n", chosen: "    return x", rejected: "    return 1 + 1" };

/** A GPU that writes NaN over what a kernel has just written, whenever it writes a tensor of that name: not all rows are read again. */
class PoisonedGpu extends Gpu {
  poison: string | null = null;

  override run(...args: Parameters<Gpu["run"]>): void {
    const [name, inputs, outputs] = args;
    const { watcher } = this;
    this.watcher = null;
    super.run(...args);
    for (const tensor of Object.values(outputs)) {
      if (tensor.name === this.poison && tensor.dtype === "f32") this.write(tensor, new Float32Array(tensor.bytes / 4).fill(Number.NaN));
    }
    this.watcher = watcher;
    watcher?.(name, Object.values(inputs), Object.values(outputs)); // as if the kernel itself had written it
  }
}

const gpu = new PoisonedGpu((await openDevice()).device);
const model = await loadModel(gpu, modelFiles("tiny-qwen2"), { dtype: "f32" });
const config = { r: 4, lora_alpha: 8, target_modules: ["q_proj", "down_proj"], use_rslora: false };
const adapter = createAdapter(gpu, model, config, 1);
const trainer = new Trainer(gpu, model, adapter, {
  lossType: "sigmoid",
  objective: DEFAULT_OPTIONS,
  schedule: { schedule: "constant", learningRate: 1e-3, warmupSteps: 0, totalSteps: 10 },
  optimizer: { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, maxGradNorm: 1 },
});
const batch = [tokenizePair(model.tokenizer, lesson)];

/** The names of all tensors that a step's pass writes, and those that it only reads, in the order of the pass. */
async function tensorsOfStep(): Promise<{ written: string[]; read: Map<string, Tensor> }> {
  const written = new Set<string>();
  const read = new Map<string, Tensor>();
  await trainer.computeGradients(batch); // makes the optimiser's kernels, too, whose tensors are none of the pass
  gpu.watcher = (_kernel, inputs, outputs) => {
    for (const tensor of inputs) if (!written.has(tensor.name) && tensor.dtype === "f32") read.set(tensor.name, tensor);
    for (const tensor of outputs) if (tensor.dtype === "f32") written.add(tensor.name);
  };
  await trainer.computeGradients(batch);
  gpu.watcher = null;
  return { written: [...written], read };
}

/** What a step says after its first bytes were made NaN; then they are put back. */
async function stepWithBad(tensor: Tensor): Promise<string | null> {
  const before = await gpu.readU32(tensor);
  gpu.write(tensor, NAN);
  await trainer.step(batch);
  gpu.write(tensor, before);
  return trainer.badTensor;
}

/** `npm run verify -- reliability` asks for all of 20. */
const POINTS = Number(process.env.FAULT_POINTS ?? 2);
const { written, read } = await tensorsOfStep();
const every = <T>(items: readonly T[], n: number) =>
  Array.from({ length: n }, (_, i) => items[Math.floor(((i + 0.5) * items.length) / n)]!);

test(`NaN in ${POINTS} of the tensors that a pass computes: named, and nothing is changed`, { timeout: 30_000 * POINTS }, async () => {
  const weights = await gpu.readU32({ ...adapter.parameters, shape: [adapter.parameters.bytes / 4] });
  for (const name of every(written, POINTS)) {
    gpu.poison = name;
    const { grad_norm, loss } = await trainer.step(batch);
    gpu.poison = null;
    expect(Number.isFinite(grad_norm) && Number.isFinite(loss), name).toBe(false);
    expect(trainer.badTensor, name).toMatch(new RegExp(`^${name.replace(/[.*+?^$()|[\]\\]/g, "\\$&")} \\(`));
  }
  expect(await gpu.readU32({ ...adapter.parameters, shape: [adapter.parameters.bytes / 4] })).toEqual(weights);
  const { grad_norm } = await trainer.step(batch);
  expect([trainer.badTensor, Number.isFinite(grad_norm)]).toEqual([null, true]);
});

test(`NaN in ${POINTS} of the weights that a pass reads: named`, { timeout: 30_000 * POINTS }, async () => {
  const uploaded = ["weights"]; // of the head's rows, written anew in every step
  const weights = [...read.values()].filter(({ name }) => /lora|weight|norm|proj|embed/.test(name) && !uploaded.includes(name));
  expect(weights.length).toBeGreaterThan(5);
  for (const tensor of every(weights, POINTS)) expect(await stepWithBad(tensor), tensor.name).toContain(`${tensor.name} (read by `);
});

test("NaN in the optimiser's moments is a failure of the GPU that names them: no later update would heal it", async () => {
  gpu.write(trainer.optimizer.expAvg, NAN);
  await expect(trainer.step(batch)).rejects.toThrow(
    new GpuFailure(`exp_avg holds NaN or infinity after update ${trainer.optimizer.steps + 1}`),
  );
});

test("NaN in a weight while log-probabilities are computed is a failure that names it, not a null", async () => {
  const { norm } = model;
  const before = await gpu.readU32(norm);
  const known = await pairLogps(gpu, model, null, batch);
  gpu.write(norm, NAN);
  await expect(pairLogps(gpu, model, null, batch)).rejects.toThrow(
    /^log-probabilities are NaN or infinity; first bad tensor: model\.norm\.weight \(read by rms_norm\)$/,
  );
  gpu.write(norm, before);
  expect(await pairLogps(gpu, model, null, batch)).toEqual(known);
});

test("NaN in a weight while answers are written is a failure of the GPU: no text is drawn from it", { timeout: 60_000 }, async () => {
  const write = async () => {
    const requests = [{ promptIds: [1, 2, 3], stream: 1 }];
    for await (const _ of generate(gpu, model, null, requests, { temperature: 1, maxNewTokens: 4, seed: 1, stop: [] }));
  };
  await write();
  const { norm } = model;
  const before = await gpu.readU32(norm);
  gpu.write(norm, NAN);
  await expect(write()).rejects.toThrow(
    /^\d+ logits are NaN or infinity while answers are written; first bad tensor: model\.norm\.weight \(read by rms_norm\)$/,
  );
  gpu.write(norm, before);
  await write();
});
