// Models in every dtype against PyTorch on rounded weights; GGUF files; a model of the true 0.5B shape; and loading that fails.
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { openDevice } from "../../src/gpu/device.ts";
import { Gpu } from "../../src/gpu/gpu.ts";
import { InputError } from "../../src/input_error.ts";
import { rowsOf } from "../../src/model/activations.ts";
import { readConfig } from "../../src/model/config.ts";
import type { ModelFiles } from "../../src/model/files.ts";
import { GgufFolder } from "../../src/model/gguf.ts";
import { adapterFromFile, adapterGradients, freeAdapter } from "../../src/model/lora.ts";
import { freeModel, loadModel, type Model } from "../../src/model/model.ts";
import { packGroups } from "../../src/model/pack.ts";
import { readAdapter } from "../../src/model/peft.ts";
import { bytesSource, f16BitsToF32, writeSafetensors } from "../../src/model/safetensors.ts";
import { matrixPlans, type WeightDtype, weightBytes } from "../../src/model/weight_plan.ts";
import { weightShapes } from "../../src/model/weight_shapes.ts";
import { allocateWorkspace, freeWorkspace, pairLogps, runPack } from "../../src/train/logps.ts";
import { DEFAULT_OPTIONS } from "../../src/train/objectives.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { readsTexts } from "../../src/worker/lasting_engine.ts";
import { folder, modelFiles, readBytes, readJson, readJsonLines, readSafetensors, readTokenPairs } from "../golden/golden.ts";
import { expectClose, largestDistance } from "../gpu.ts";
import { madeUpHalves, madeUpModel } from "../made_up_model.ts";
import { packQuantised } from "../pack_quantised.ts";

let gpu: Gpu;
beforeAll(async () => {
  gpu = new Gpu((await openDevice()).device);
});
afterAll(() => gpu?.destroy());

const pairs = readTokenPairs("dpo/tiny-llama/pairs.jsonl");

/** tiny-llama with the seven projections rounded as they are stored, in float32. */
function dequantised(dtype: "int8" | "int4"): ModelFiles {
  const tensors = [...readSafetensors("models/tiny-llama/model.safetensors")].map(([name, { shape, data }]) => {
    const rounded = name.includes("_proj") ? packQuantised(data, dtype === "int8" ? 8 : 4).dequantised : data;
    return { name, shape, data: rounded };
  });
  const original = modelFiles("tiny-llama");
  const weights = writeSafetensors(tensors);
  return { id: "rounded", open: async (path) => (path === "model.safetensors" ? bytesSource(path, weights) : original.open(path)) };
}

test("an answer ends at what config, generation_config and tokenizer name", async () => {
  const original = modelFiles("tiny-qwen2");
  const generation = new TextEncoder().encode('{"eos_token_id": [317, 318]}');
  const open = async (path: string) => (path === "generation_config.json" ? bytesSource(path, generation) : original.open(path));
  const model = await loadModel(gpu, { id: "three ends", open }, { dtype: "f32" });
  expect(model.config.eosTokenIds.toSorted()).toEqual([316, 317, 318]);
  freeModel(gpu, model);
});

describe("dtypes", () => {
  test.each(["f16", "int8", "int4"] as const)("%s: PyTorch's log-probabilities of the rounded model, with an adapter", async (dtype) => {
    const model = await loadModel(gpu, modelFiles("tiny-llama"), { dtype });
    const adapter = adapterFromFile(gpu, model, await readAdapter(folder("dpo/tiny-llama/r8/adapter"), model.config));
    const logps = await pairLogps(gpu, model, adapter, pairs);
    const golden = readJsonLines<Record<string, number[]>>(`dpo/tiny-llama/r8/logps_${dtype}.jsonl`);
    golden.forEach((want, i) => {
      expect(largestDistance(logps[i]!.chosen, want.chosen_token_logps!)).toBeLessThan(1e-4);
      expect(largestDistance(logps[i]!.rejected, want.rejected_token_logps!)).toBeLessThan(1e-4);
    });
    freeAdapter(gpu, adapter);
    freeModel(gpu, model);
  });

  test.each(["int8", "int4"] as const)("%s: gradients are those of the rounded model", async (dtype) => {
    const gradients = async (files: ModelFiles, as: WeightDtype) => {
      const model = await loadModel(gpu, files, { dtype: as });
      const adapter = adapterFromFile(gpu, model, await readAdapter(folder("dpo/tiny-llama/r8/adapter"), model.config));
      const trainer = new Trainer(gpu, model, adapter, {
        lossType: "sigmoid",
        objective: DEFAULT_OPTIONS,
        schedule: { schedule: "constant", learningRate: 1e-3, warmupSteps: 0, totalSteps: 1 },
        optimizer: { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, maxGradNorm: 1 },
        packTokens: 64,
      });
      await trainer.computeGradients(pairs.slice(0, 1));
      const found = await adapterGradients(gpu, adapter);
      trainer.free();
      freeAdapter(gpu, adapter);
      freeModel(gpu, model);
      return found;
    };
    const want = await gradients(dequantised(dtype), "f32");
    for (const [name, { data }] of await gradients(modelFiles("tiny-llama"), dtype)) expectClose(name, data, want.get(name)!.data, 1e-8);
  });

  test("rows that are no whole groups are refused before anything is allocated", async () => {
    await expect(loadModel(gpu, modelFiles("awkward-qwen2"), { dtype: "int4" })).rejects.toThrow(
      /has rows of \d+, and int4 needs a multiple of 32: use --dtype f16\.$/,
    );
    expect(gpu.counters.bytes).toBe(0);
  });
});

describe("GGUF", () => {
  const expected = readJson<Record<string, { sequences: number[][]; label_logps: number[][] }>>("gguf/expected.json");
  test.each(Object.keys(expected))("%s gives its Hugging Face folder's log-probabilities", async (name) => {
    const files = await GgufFolder.open(name, bytesSource(`${name}.gguf`, readBytes(`gguf/${name}.gguf`)));
    const model = await loadModel(gpu, files, { dtype: "f32" });
    const { sequences, label_logps } = expected[name]!;
    const logps = await pairLogps(
      gpu,
      model,
      null,
      sequences.map((ids) => ({ promptIds: ids.slice(0, 1), chosenIds: ids.slice(1), rejectedIds: [] })),
    );
    label_logps.forEach((want, i) => {
      expect(largestDistance(logps[i]!.chosen, want), `sequence ${i}`).toBeLessThan(1e-4);
    });
    freeModel(gpu, model);
  });
});

describe("a model of the true 0.5B shape, two layers", () => {
  const json = { ...readJson<object>("configs/Qwen2.5-Coder-0.5B.json"), num_hidden_layers: 2, eos_token_id: 316 };
  const VOCABULARY = 151_936;
  const C = 896;

  test("int4: planned to the byte, in shards, little memory beside it, and its head is right", async () => {
    const files = madeUpModel(json, weightShapes(readConfig(json, "config.json")), modelFiles("tiny-qwen2"));
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    const onProgress = () => {
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    };
    const model = await loadModel(gpu, files, { dtype: "int4", onProgress });
    expect(gpu.counters.bytes).toBe(weightBytes(model.config, "int4"));
    expect(model.embedding.map(({ data }) => [data.dtype, data.shape[0]])).toEqual([
      ["int8", 149_796],
      ["int8", 2140],
    ]);
    expect(model.layers[0]!.gate_up_proj.matrix.map(({ data }) => data.dtype)).toEqual(["int4"]);
    expect(model.head).toBe(model.embedding);
    expect(model.parameters).toBe(136_134_656 + 896 + 2 * 14_912_384);
    expect(most).toBeLessThan(300e6);

    const ids = [0, 149_795, 149_796, 151_935, 77]; // both sides of the shards' border, both ends
    const workspace = allocateWorkspace(gpu, model, 4, 16, "layer-inputs"); // keeps the embedding
    const [logps] = await runPack(
      gpu,
      model,
      null,
      workspace,
      packGroups([{ promptIds: ids.slice(0, 3), completions: [ids.slice(3), []] }]),
      false,
    );
    const hidden = await gpu.read(rowsOf(workspace.activations.hidden, 4));
    const table = f16BitsToF32(madeUpHalves(0, VOCABULARY * C)); // the embedding is the file's first tensor
    const { dequantised: rounded } = packQuantised(table.subarray(0, C), 8);
    expect(largestDistance((await gpu.read(rowsOf(workspace.activations.layers[0]!.x, 1))).subarray(0, C), rounded)).toBe(0);
    expect(logps!.chosen[0]).toBeCloseTo(labelLogp(table, hidden.subarray(2 * C, 3 * C), ids[3]!), 3); // of the last row
    freeWorkspace(gpu, workspace);
    freeModel(gpu, model);
  }, 240_000);

  /** log softmax of hidden · tableᵀ at one token, the table rounded to int8 row by row. */
  function labelLogp(table: Float32Array, hidden: Float32Array, token: number): number {
    const logits = new Float64Array(VOCABULARY);
    for (let row = 0; row < VOCABULARY; row++) {
      for (let group = 0; group < C; group += 32) {
        const at = row * C + group;
        let largest = 0;
        for (let i = 0; i < 32; i++) largest = Math.max(largest, Math.abs(table[at + i]!));
        const scale = Math.fround(largest / 127);
        let sum = 0;
        for (let i = 0; i < 32; i++) sum += Math.round(table[at + i]! / scale) * hidden[group + i]!;
        logits[row]! += sum * scale;
      }
    }
    const most = logits.reduce((a, b) => Math.max(a, b));
    return logits[token]! - most - Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0));
  }
});

describe("loading that fails leaves nothing behind, and the earlier model goes on", () => {
  let earlier: Model;
  let want: Float32Array;
  beforeAll(async () => {
    earlier = await loadModel(gpu, modelFiles("tiny-llama"), { dtype: "f32" });
    want = (await pairLogps(gpu, earlier, null, pairs.slice(0, 1)))[0]!.chosen;
  });
  afterAll(() => freeModel(gpu, earlier));

  /** tiny-llama with some files exchanged; null: taken away. */
  const changed = (files: Record<string, Uint8Array | null>): ModelFiles => {
    const original = modelFiles("tiny-llama");
    return {
      id: "changed",
      open: async (path) => {
        if (!Object.hasOwn(files, path)) return original.open(path);
        const bytes = files[path];
        return bytes ? bytesSource(path, bytes) : null;
      },
    };
  };
  test("in a page, which has nothing but texts for a model, one without a tokenizer", async () => {
    const before = gpu.counters.bytes;
    const refused = loadModel(gpu, changed({ "tokenizer.json": null }), { dtype: "f32", check: readsTexts });
    await expect(refused).rejects.toThrow("changed has no tokenizer.json: add it");
    expect(gpu.counters.bytes).toBe(before);
  });

  const weights = readBytes("models/tiny-llama/model.safetensors");
  const withNaN = weights.slice();
  withNaN.fill(255, withNaN.length - 4);

  const refused = async (loading: Promise<unknown>, message: string | RegExp) => {
    const before = gpu.counters.bytes;
    await expect(loading).rejects.toThrow(message);
    expect(gpu.counters.bytes).toBe(before);
    expect((await pairLogps(gpu, earlier, null, pairs.slice(0, 1)))[0]!.chosen).toEqual(want);
  };

  test.each([
    ["a file that ends early", { "model.safetensors": weights.slice(0, -1000) }, "the file is truncated."],
    ["a value that is no number, at the very end", { "model.safetensors": withNaN }, "expected finite values, found NaN"],
    ["no config", { "config.json": null }, "changed has no config.json"],
  ])("%s", async (_, files, message) => {
    await refused(loadModel(gpu, changed(files), { dtype: "f32" }), message);
  });

  test("the GPU out of memory in the middle: one sentence", async () => {
    let scopes = 0;
    const pop = gpu.device.popErrorScope.bind(gpu.device);
    const spy = vi.spyOn(gpu.device, "popErrorScope").mockImplementation(async () => {
      const error = await pop();
      return ++scopes === 5 ? new GPUOutOfMemoryError("none left") : error;
    });
    const loading = loadModel(gpu, modelFiles("tiny-qwen2"), { dtype: "f16" });
    await refused(
      loading,
      /^Loading ended after \d+ MB: no room on the GPU for model\.\S+ \(1 MiB\): none left: use a smaller --dtype or model\.$/,
    );
    await expect(loading).rejects.toThrow(InputError);
    scopes = 0;
    const advise = (bytes: number) => `${bytes < 1e6} advice.`;
    await refused(loadModel(gpu, modelFiles("tiny-qwen2"), { dtype: "f16", advise }), /none left: true advice\.$/);
    spy.mockRestore();
  });

  test("cancelled in the middle, or refused by the plan", async () => {
    const controller = new AbortController();
    const onProgress = (done: number) => done === 7 && controller.abort(new Error("cancelled"));
    await refused(loadModel(gpu, modelFiles("tiny-qwen2"), { dtype: "f32", onProgress, signal: controller.signal }), "cancelled");
    const check = async () => {
      throw new InputError("too large");
    };
    await refused(loadModel(gpu, modelFiles("tiny-qwen2"), { dtype: "f32", check }), "too large");
  });

  test("a device that is lost while loading is said", async () => {
    const other = new Gpu((await openDevice()).device);
    const onProgress = (done: number) => {
      if (done === 7) other.device.destroy();
    };
    await expect(loadModel(other, modelFiles("tiny-qwen2"), { dtype: "f32", onProgress })).rejects.toThrow("the GPU device was lost");
    expect(other.counters.bytes).toBe(0);
  });
});

test("shards of a table end where a binding does", () => {
  const config = readConfig(readJson("configs/Qwen2.5-Coder-0.5B.json"), "config.json");
  const rows = (dtype: WeightDtype) =>
    matrixPlans(config, dtype)
      .get("model.embed_tokens.weight")!
      .shards.map((shard) => shard.rows);
  expect(rows("f32")).toEqual([37_449, 37_449, 37_449, 37_449, 2140]);
  expect(rows("f16")).toEqual([74_898, 74_898, 2140]);
  expect(rows("int8")).toEqual([149_796, 2140]);
});
