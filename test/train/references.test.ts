// The reference of a pair: computed once, kept under all that it depends on, and exactly what an untrained adapter gives.
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDevice } from "../../src/gpu/device.ts";
import { Gpu } from "../../src/gpu/gpu.ts";
import { adapterFromFile, freeAdapter } from "../../src/model/lora.ts";
import { freeModel, loadModel, type Model } from "../../src/model/model.ts";
import { readAdapter } from "../../src/model/peft.ts";
import { DEFAULT_OPTIONS, type LossType } from "../../src/train/objectives.ts";
import {
  memoryReferences,
  type ReferenceStore,
  readLogps,
  referenceIdentity,
  referenceKey,
  writeLogps,
} from "../../src/train/references.ts";
import { Trainer, type TrainingPair } from "../../src/train/trainer.ts";
import { folder, modelFiles, readTokenPairs } from "../golden/golden.ts";

const pairs = readTokenPairs("dpo/tiny-qwen2/pairs.jsonl");

let gpu: Gpu;
let model: Model;
beforeAll(async () => {
  gpu = new Gpu((await openDevice()).device);
  model = await loadModel(gpu, modelFiles("tiny-qwen2"), { dtype: "f32" });
});
afterAll(() => {
  freeModel(gpu, model);
  gpu.destroy();
});

/** A step per batch from an adapter that changes nothing yet: its metrics, its work, and what the GPU was given for it. */
async function steps(
  batches: readonly (readonly TrainingPair[])[],
  references: ReferenceStore,
  { packTokens = 1024, lossType = "sigmoid" as LossType, of = model } = {},
) {
  const adapter = adapterFromFile(gpu, of, await readAdapter(folder("dpo/tiny-qwen2/r8-zero/adapter"), of.config));
  const trainer = new Trainer(gpu, of, adapter, {
    lossType,
    objective: DEFAULT_OPTIONS,
    schedule: { schedule: "constant", learningRate: 1e-2, warmupSteps: 0, totalSteps: 10 },
    optimizer: { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, maxGradNorm: 1 },
    packTokens,
    references,
  });
  const told = [];
  for (const batch of batches) {
    const before = gpu.counters.flops;
    const metrics = await trainer.step(batch);
    told.push({ metrics, work: trainer.work, given: gpu.counters.flops - before });
  }
  trainer.free();
  freeAdapter(gpu, adapter);
  return told;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** How often a store was asked to keep something. */
function counted(store: ReferenceStore): ReferenceStore & { kept: number } {
  const counting = {
    kept: 0,
    get: store.get,
    keep: (...entry: Parameters<ReferenceStore["keep"]>) => {
      counting.kept += 1;
      return store.keep(...entry);
    },
  };
  return counting;
}

test("the margin before the first update is exactly 0, in any packs, with references that were made in other ones", async () => {
  const store = counted(memoryReferences());
  for (const packTokens of [1024, 1, 40]) {
    const [first] = await steps([pairs], packTokens === 40 ? store : memoryReferences(), { packTokens });
    expect(first!.metrics, `packs of ${packTokens}`).toMatchObject({ "rewards/margins": 0, "rewards/chosen": 0, "rewards/rejected": 0 });
  }
  for (const pair of pairs) expect((await steps([[pair]], store))[0]!.metrics["rewards/margins"]).toBe(0);
  expect(store.kept).toBe(pairs.length);
});

test("a pair's reference is computed once, also in a batch that has it twice, and never where it is known from before", async () => {
  const store = counted(memoryReferences());
  const batch = [...pairs, pairs[0]!];
  const once = await steps([batch, batch], store);
  expect(store.kept).toBe(pairs.length);
  expect(once[0]!.given).toBe(once[0]!.work.flops + sum(once[0]!.work.referenceFlops.slice(0, pairs.length)));
  expect(once[1]!.given).toBe(once[1]!.work.flops);
  const again = await steps([batch, batch], store);
  expect(store.kept).toBe(pairs.length);
  expect(again.map(({ given, work }) => given - work.flops)).toEqual([0, 0]);
  expect(again.map(({ metrics, work }) => ({ metrics, work }))).toEqual(once.map(({ metrics, work }) => ({ metrics, work })));
});

test("work is that of the batch, whatever packs it runs in; a loss in which pairs meet takes a pass more over several packs", async () => {
  for (const lossType of ["sigmoid", "aot"] as const) {
    const [whole] = await steps([pairs], memoryReferences(), { lossType });
    const [apart] = await steps([pairs], memoryReferences(), { lossType, packTokens: 1 });
    expect(apart!.work.referenceFlops).toEqual(whole!.work.referenceFlops);
    expect(apart!.work.flops > whole!.work.flops, lossType).toBe(lossType === "aot");
    if (lossType === "sigmoid") expect(apart!.work.flops).toBe(whole!.work.flops);
    expect(apart!.given).toBe(apart!.work.flops + sum(apart!.work.referenceFlops));
  }
});

test("an objective without a reference keeps none and counts none", async () => {
  const store = counted(memoryReferences());
  const [only] = await steps([pairs], store, { lossType: "simpo" });
  expect([store.kept, sum(only!.work.referenceFlops), only!.given]).toEqual([0, 0, only!.work.flops]);
});

test("references of another dtype, model, kernel choice or pair are not found", async () => {
  const identity = referenceIdentity(gpu, model);
  const half = await loadModel(gpu, modelFiles("tiny-qwen2"), { dtype: "f16" });
  const others = [half, { ...model, sha256: "other" }, { ...model, config: { ...model.config, normEps: 1e-5 } }];
  const { tiles } = gpu;
  const identities = others.map((other) => referenceIdentity(gpu, other));
  gpu.tiles = { ...tiles, [Object.keys(tiles)[0]!]: "4x4" };
  identities.push(referenceIdentity(gpu, model));
  gpu.tiles = tiles;
  expect(new Set([identity, ...identities]).size).toBe(5);
  const [{ promptIds, chosenIds, rejectedIds }] = pairs as [TrainingPair];
  const moved = { promptIds: [...promptIds, chosenIds[0]!], chosenIds: chosenIds.slice(1), rejectedIds };
  const keys = [pairs[0]!, pairs[1]!, moved].map((pair) => referenceKey(identity, pair));
  expect(new Set(keys).size).toBe(3);

  const store = counted(memoryReferences());
  await steps([pairs], store);
  const [stale] = await steps([pairs], store, { of: half });
  expect([store.kept, stale!.metrics["rewards/margins"]]).toEqual([2 * pairs.length, 0]);
  freeModel(gpu, half);
});

test("written references are read back to the bit", () => {
  const logps = { chosen: Float32Array.of(-1 / 3, -1e-38, -87.5, 0), rejected: new Float32Array(0) };
  expect(readLogps(JSON.parse(JSON.stringify(writeLogps(logps))))).toEqual(logps);
});
