// How much work a pair is at the shape of Qwen2.5-Coder-0.5B, counted by the engine from its shapes: nothing is computed.
import { expect, test } from "vitest";
import { QWEN_05B, randomModel } from "../../src/bench/random_model.ts";
import { Gpu } from "../../src/gpu/gpu.ts";
import type { Checkpoint } from "../../src/model/activations.ts";
import { allocateActivations, rowsOf } from "../../src/model/activations.ts";
import { backward } from "../../src/model/backward.ts";
import { forward, uploadPack } from "../../src/model/forward.ts";
import { generate } from "../../src/model/generate.ts";
import { allocateHead, headBackward, headLogps } from "../../src/model/head.ts";
import { createAdapter } from "../../src/model/lora.ts";
import { packGroups, passSize } from "../../src/model/pack.ts";
import { PROJECTIONS } from "../../src/model/weight_shapes.ts";
import { DEFAULT_OPTIONS } from "../../src/train/objectives.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { countingDevice } from "./counting_device.ts";

const ids = (count: number) => new Array<number>(count).fill(1);
const shared = [{ promptIds: ids(256), completions: [ids(128), ids(128)] }];
const apart = shared[0]!.completions.map((completion) => ({ promptIds: shared[0]!.promptIds, completions: [completion] }));

/** Operations and dispatches of a pass over the groups, forward and backward, with LoRA of rank r on all seven projections. */
async function passOf(groups: typeof shared, checkpoint: Checkpoint, r = 16) {
  const gpu = new Gpu(countingDevice());
  const model = randomModel(gpu, "0.5B", QWEN_05B, "f16");
  const adapter = createAdapter(gpu, model, { r, lora_alpha: 2 * r, target_modules: [...PROJECTIONS], use_rslora: false }, 1);
  const pack = packGroups(groups);
  const T = pack.ids.length;
  const activations = allocateActivations(gpu, model.config, { tokens: T, slots: T, R: adapter.R, training: true, checkpoint });
  const head = allocateHead(gpu, model, { tokens: T, rows: pack.rows.length });
  const before = { ...gpu.counters };
  uploadPack(gpu, activations, pack);
  forward(gpu, model, adapter, activations, passSize(pack));
  await headLogps(gpu, model, head, rowsOf(activations.hidden, T), pack, true);
  backward(gpu, model, adapter, activations, headBackward(gpu, head, pack, new Float32Array(pack.rows.length)), passSize(pack));
  const { flops, dispatches, buffers } = gpu.counters;
  return { gflop: (flops - before.flops) / 1e9, dispatches: dispatches - before.dispatches, newBuffers: buffers - before.buffers };
}

test("a pair of 256 + 128 + 128 tokens takes at most 964 GFLOP, and without gate and up kept 1,180", async () => {
  const all = await passOf(shared, "all");
  expect(all.gflop).toBeGreaterThan(900);
  expect(all.gflop).toBeLessThanOrEqual(964);
  const recomputed = await passOf(shared, "without-gate-up");
  expect(recomputed.gflop).toBeLessThanOrEqual(1180);
  expect(all.newBuffers).toBe(0);
});

test("a batch of eight such pairs in four packs takes no more for each", async () => {
  const gpu = new Gpu(countingDevice());
  const model = randomModel(gpu, "0.5B", QWEN_05B, "f16");
  const adapter = createAdapter(gpu, model, { r: 16, lora_alpha: 32, target_modules: [...PROJECTIONS], use_rslora: false }, 1);
  const trainer = new Trainer(gpu, model, adapter, {
    lossType: "sigmoid",
    objective: DEFAULT_OPTIONS,
    schedule: { schedule: "constant", learningRate: 1e-4, warmupSteps: 0, totalSteps: 1 },
    optimizer: { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, maxGradNorm: 1 },
  });
  await trainer.computeGradients(new Array(8).fill({ promptIds: ids(256), chosenIds: ids(128), rejectedIds: ids(128) }));
  expect(trainer.workspaceTokens).toBeLessThan(3 * 510); // two pairs a pack
  expect(trainer.work.flops / 8e9).toBeCloseTo((await passOf(shared, "all")).gflop, 6);
});

test("a shared prompt saves a quarter of the work and more", async () => {
  const { gflop } = await passOf(shared, "all");
  expect((await passOf(apart, "all")).gflop / gflop).toBeGreaterThan(1.3);
});

test("the count is that of the textbook, products of the body, head, attention and LoRA, but for the first input's gradient", async () => {
  const { C, F, layers, heads, kvHeads, headSize: D, vocabulary: V } = QWEN_05B;
  const R = 16;
  const T = 256 + 2 * 127; // a completion's last token is predicted, never read
  const keys = (256 * 257) / 2 + 2 * (127 * 256 + (127 * 128) / 2);
  const widths = [
    [heads * D, C],
    [kvHeads * D, C],
    [kvHeads * D, C],
    [C, heads * D],
    [F, C],
    [F, C],
    [C, F],
  ] as const;
  const body = 2 * 2 * T * layers * widths.reduce((sum, [N, K]) => sum + N * K, 0); // forward, and the gradients of the inputs
  const lora = 2 * 3 * T * layers * R * widths.reduce((sum, [N, K]) => sum + N + K, 0); // forward, inputs, weights
  const head = 2 * 2 * 256 * V * C;
  const attended = (4 + 10) * keys * heads * D * layers;
  const first = 2 * T * widths.slice(0, 3).reduce((sum, [N, K]) => sum + N * K + R * K, 0); // nothing trainable lies before q, k and v
  expect((await passOf(shared, "all")).gflop).toBeCloseTo((body + lora + head + attended - first) / 1e9, 6);
});

test("a token decoded on a graphics card takes at most 150 dispatches of 24 layers, however many keys it sees", async () => {
  const gpu = new Gpu(countingDevice());
  const model = randomModel(gpu, "0.5B", QWEN_05B, "f16");
  const dispatches = async (promptLength: number) => {
    const count = async (maxNewTokens: number) => {
      const before = gpu.counters.dispatches;
      const requests = [{ promptIds: ids(promptLength), stream: 0 }];
      for await (const _ of generate(gpu, model, null, requests, { temperature: 1, maxNewTokens, seed: 1, stop: [] }));
      return gpu.counters.dispatches - before;
    };
    return ((await count(7)) - (await count(3))) / 4;
  };
  expect(await dispatches(100)).toBe(5 * 24 + 6);
  expect(await dispatches(256)).toBe(6 * 24 + 6);
});
