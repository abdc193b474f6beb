// A prompt that runs once gives what it gives when it runs anew before each completion: log-probabilities and gradients alike.
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDevice } from "../../src/gpu/device.ts";
import { Gpu } from "../../src/gpu/gpu.ts";
import { rowsOf } from "../../src/model/activations.ts";
import { backward } from "../../src/model/backward.ts";
import { forward, uploadPack } from "../../src/model/forward.ts";
import { headBackward, headLogps } from "../../src/model/head.ts";
import { adapterFromFile, adapterGradients, freeAdapter } from "../../src/model/lora.ts";
import { freeModel, loadModel } from "../../src/model/model.ts";
import { type PromptGroup, packGroups, passSize } from "../../src/model/pack.ts";
import { readAdapter } from "../../src/model/peft.ts";
import { allocateWorkspace, freeWorkspace } from "../../src/train/logps.ts";
import { folder, modelFiles } from "../golden/golden.ts";

let gpu: Gpu;
beforeAll(async () => {
  gpu = new Gpu((await openDevice()).device);
});
afterAll(() => gpu?.destroy());

const ids = (n: number, step: number) => Array.from({ length: n }, (_, i) => (step * (i + 3)) % 300);

/** Two problems in one pack, the first with one chosen and two rejected answers. */
const SHARED: PromptGroup[] = [
  { promptIds: ids(17, 7), completions: [ids(9, 11), ids(12, 13), ids(5, 17)] },
  { promptIds: ids(6, 19), completions: [ids(8, 23), ids(1, 29)] },
];
const SEPARATE = SHARED.flatMap(({ promptIds, completions }) =>
  completions.map((completion) => ({ promptIds, completions: [completion] })),
);

test("several pairs with shared prompts in one pack equal separate sequences to 1e-5", async () => {
  const model = await loadModel(gpu, modelFiles("tiny-qwen2"), { dtype: "f32" });
  const adapter = adapterFromFile(gpu, model, await readAdapter(folder("dpo/tiny-qwen2/r8/adapter"), model.config));
  const workspace = allocateWorkspace(gpu, model, adapter.R, 256);
  const pass = async (groups: readonly PromptGroup[]) => {
    const { activations, head } = workspace;
    const pack = packGroups(groups);
    const size = passSize(pack);
    gpu.clear(adapter.gradients);
    uploadPack(gpu, activations, pack);
    gpu.write(activations.readers, pack.readers);
    forward(gpu, model, adapter, activations, size);
    const { logps } = await headLogps(gpu, model, head, rowsOf(activations.hidden, size.tokens), pack, true);
    const weights = Float32Array.from(pack.targets, (id) => (id % 7) - 3); // by the token alone, so that both packs weigh alike
    backward(gpu, model, adapter, activations, headBackward(gpu, head, pack, weights), size);
    return { tokens: size.tokens, logps, gradients: await adapterGradients(gpu, adapter) };
  };
  const shared = await pass(SHARED);
  const separate = await pass(SEPARATE);
  expect(shared.tokens).toBeLessThan(separate.tokens);
  expect(shared.logps).toHaveLength(35);
  shared.logps.forEach((logp, i) => {
    expect(Math.abs(logp - separate.logps[i]!), `token ${i}`).toBeLessThan(1e-5);
  });
  for (const [name, { data }] of separate.gradients) {
    const got = shared.gradients.get(name)!.data;
    const largest = data.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    expect(largest, name).toBeGreaterThan(0);
    data.forEach((value, i) => {
      expect(Math.abs(got[i]! - value), `${name} ${i}`).toBeLessThan(1e-5 * largest);
    });
  }
  freeWorkspace(gpu, workspace);
  freeAdapter(gpu, adapter);
  freeModel(gpu, model);
});
