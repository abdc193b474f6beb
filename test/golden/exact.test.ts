// The golden data through the engine, measured as docs/results/exact.md tabulates it: what is asserted there in words is asserted here.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDevice } from "../../src/gpu/device.ts";
import { Gpu } from "../../src/gpu/gpu.ts";
import { freeModel, loadModel, type Model } from "../../src/model/model.ts";
import { pairLogps } from "../../src/train/logps.ts";
import { logpsDistance, measureForward, measureLogps, roundedModelFiles } from "./exact.ts";
import { MODELS, modelFiles, readTokenPairs } from "./golden.ts";

let gpu: Gpu;
beforeAll(async () => {
  gpu = new Gpu((await openDevice()).device);
});
afterAll(() => gpu?.destroy());

describe.each(MODELS)("%s", (name) => {
  let packed: Model;
  beforeAll(async () => {
    packed = await loadModel(gpu, modelFiles(name), { dtype: "f16" });
  });
  afterAll(() => freeModel(gpu, packed));

  test("logits are within three times PyTorch's own float32 error", async () => {
    const model = await loadModel(gpu, modelFiles(name), { dtype: "f32" });
    const { logits, hidden } = await measureForward(gpu, model, name);
    freeModel(gpu, model);
    expect(logits.ours.max).toBeLessThanOrEqual(3 * logits.theirs!.max);
    expect(hidden.size, "every layer, the embedding and the last norm").toBe(model.config.layers + 2);
    for (const [layer, { max }] of hidden) expect(max, layer).toBeLessThan(1e-4);
  });

  test("f16 weights compute what the same rounded weights compute as f32", async () => {
    const rounded = await loadModel(gpu, roundedModelFiles(name), { dtype: "f32" });
    const pairs = readTokenPairs(`dpo/${name}/pairs.jsonl`);
    const distance = logpsDistance(await pairLogps(gpu, packed, null, pairs), await pairLogps(gpu, rounded, null, pairs));
    freeModel(gpu, rounded);
    expect(distance.max).toBeLessThan(1e-5);
  });
});

// The rounding of the weights is in PyTorch's numbers too, and the arithmetic is float32 in both: f32's tolerances hold.
test("f16 weights with an adapter give PyTorch's log-probabilities", async () => {
  const model = await loadModel(gpu, modelFiles("tiny-llama"), { dtype: "f16" });
  const { tokens, sums } = await measureLogps(gpu, model, "tiny-llama", "r8", "logps_f16");
  freeModel(gpu, model);
  expect(tokens.ours.max).toBeLessThan(1e-4);
  expect(sums.ours.max).toBeLessThan(1e-3);
});
