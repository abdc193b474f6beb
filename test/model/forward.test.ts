// The forward pass against PyTorch: hidden states layer by layer, so that a failing test names the layer; then log-probabilities.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDevice } from "../../src/gpu/device.ts";
import { Gpu } from "../../src/gpu/gpu.ts";
import { rowsOf } from "../../src/model/activations.ts";
import { adapterFromFile, freeAdapter } from "../../src/model/lora.ts";
import { freeModel, loadModel, type Model } from "../../src/model/model.ts";
import { packGroups } from "../../src/model/pack.ts";
import { readAdapter } from "../../src/model/peft.ts";
import { allocateWorkspace, freeWorkspace, pairLogps, runPack } from "../../src/train/logps.ts";
import { folder, type LogpsLine, MODELS, modelFiles, readJson, readJsonLines, readSafetensors, readTokenPairs } from "../golden/golden.ts";
import { largestDistance } from "../gpu.ts";

interface Sequence {
  ids: number[];
  label_logps: number[];
}

let gpu: Gpu;
beforeAll(async () => {
  gpu = new Gpu((await openDevice()).device);
});
afterAll(() => gpu?.destroy());

const sum = (values: Float32Array) => values.reduce((a, b) => a + b, 0);

describe.each(MODELS)("%s", (name) => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(gpu, modelFiles(name), { dtype: "f32" });
  });
  afterAll(() => freeModel(gpu, model));

  test("hidden states of every layer", async () => {
    const { ids } = readJson<{ sequences: Sequence[] }>(`forward/${name}.json`).sequences[2]!;
    const golden = readSafetensors(`forward/${name}.safetensors`);
    const workspace = allocateWorkspace(gpu, model, 4, 256);
    await runPack(gpu, model, null, workspace, packGroups([{ promptIds: ids.slice(0, -1), completions: [ids.slice(-1), []] }]), false);
    const { layers, last, hidden } = workspace.activations;
    const T = ids.length - 1;
    const tensors = new Map([
      ...layers.map(({ x }, i) => [`2.hidden.${i}`, x] as const),
      [`2.hidden.${layers.length}`, last],
      ["2.hidden.norm", hidden],
    ]);
    for (const [key, tensor] of tensors) {
      const want = golden.get(key)!.data.subarray(0, T * model.config.C);
      expect(largestDistance(await gpu.read(rowsOf(tensor, T)), want), key).toBeLessThan(1e-4);
    }
    freeWorkspace(gpu, workspace);
  });

  test("log-probabilities of every token", async () => {
    const { sequences } = readJson<{ sequences: Sequence[] }>(`forward/${name}.json`);
    const pairs = sequences.map(({ ids }) => ({ promptIds: ids.slice(0, 1), chosenIds: ids.slice(1), rejectedIds: [] }));
    const logps = await pairLogps(gpu, model, null, pairs);
    sequences.forEach(({ label_logps }, i) => {
      expect(largestDistance(logps[i]!.chosen, label_logps), `sequence ${i}`).toBeLessThan(1e-4);
    });
  });

  test.each(["r4", "r8"])("log-probabilities of pairs, with the adapter %s and without", async (adapterName) => {
    const file = await readAdapter(folder(`dpo/${name}/${adapterName}/adapter`), model.config);
    const adapter = adapterFromFile(gpu, model, file);
    for (const set of ["", "_edge"]) {
      const pairs = readTokenPairs(`dpo/${name}/pairs${set}.jsonl`);
      const golden = readJsonLines<LogpsLine>(`dpo/${name}/${adapterName}/logps${set}.jsonl`);
      const policy = await pairLogps(gpu, model, adapter, pairs);
      const reference = await pairLogps(gpu, model, null, pairs);
      golden.forEach((want, i) => {
        const message = `pair ${i}${set}`;
        expect(largestDistance(policy[i]!.chosen, want.chosen_token_logps), message).toBeLessThan(1e-4);
        expect(largestDistance(policy[i]!.rejected, want.rejected_token_logps), message).toBeLessThan(1e-4);
        expect(Math.abs(sum(policy[i]!.chosen) - want.chosen_logp), message).toBeLessThan(1e-3);
        expect(Math.abs(sum(policy[i]!.rejected) - want.rejected_logp), message).toBeLessThan(1e-3);
        expect(Math.abs(sum(reference[i]!.chosen) - want.ref_chosen_logp), message).toBeLessThan(1e-3);
        expect(Math.abs(sum(reference[i]!.rejected) - want.ref_rejected_logp), message).toBeLessThan(1e-3);
      });
    }
    freeAdapter(gpu, adapter);
  });
});

test("f16 weights give the log-probabilities of the rounded model", async () => {
  const pairs = readTokenPairs("dpo/tiny-qwen2/pairs.jsonl");
  const rounded = await loadModel(gpu, modelFiles("tiny-qwen2-f16"), { dtype: "f32" }); // stored as f16, held as f32
  const want = await pairLogps(gpu, rounded, null, pairs);
  freeModel(gpu, rounded);
  const packed = await loadModel(gpu, modelFiles("tiny-qwen2"), { dtype: "f16" });
  const got = await pairLogps(gpu, packed, null, pairs);
  freeModel(gpu, packed);
  got.forEach(({ chosen, rejected }, i) => {
    expect(chosen).toEqual(want[i]!.chosen);
    expect(rejected).toEqual(want[i]!.rejected);
  });
});
