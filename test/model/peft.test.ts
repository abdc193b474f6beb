import { describe, expect, test } from "vitest";
import { readConfig } from "../../src/model/config.ts";
import type { ModelFiles } from "../../src/model/files.ts";
import { adapterShapes, loraScale, readAdapter, writeAdapter } from "../../src/model/peft.ts";
import { bytesSource, writeSafetensors } from "../../src/model/safetensors.ts";
import { PROJECTIONS, projectionPath } from "../../src/model/weight_shapes.ts";
import { findBytes, folder, MODELS, readBytes, readJson, readSafetensors, sameBytes } from "../golden/golden.ts";

const WEIGHTS = "adapter_model.safetensors";
const CONFIG = "adapter_config.json";
const CASES = MODELS.flatMap((model) => ["r4", "r8", "r8-zero", "r8-rslora", "r8-qv"].map((name) => [model, name] as const)).filter(
  ([model, name]) => findBytes(`dpo/${model}/${name}/adapter/${CONFIG}`) !== null,
);

function configOf(model: string) {
  return readConfig(readJson(`models/${model}/config.json`), "config.json");
}

function written(files: readonly { path: string; bytes: Uint8Array }[]): ModelFiles {
  return {
    id: "written",
    open: async (path) => {
      const file = files.find((candidate) => candidate.path === path);
      return file ? bytesSource(path, file.bytes) : null;
    },
  };
}

test("there are golden adapters of every model", () => {
  expect(new Set(CASES.map(([model]) => model)).size).toBe(MODELS.length);
  expect(CASES).toHaveLength(22);
});

describe.each(CASES)("the adapter %s %s that PEFT saved", (model, name) => {
  const path = `dpo/${model}/${name}/adapter`;

  test("is read with its tensors and settings", async () => {
    const { config, tensors } = await readAdapter(folder(path), configOf(model));
    const golden = readSafetensors(`${path}/${WEIGHTS}`);
    expect([...tensors.keys()].sort()).toEqual([...golden.keys()].sort());
    for (const [name, { shape, data }] of golden) {
      expect(tensors.get(name)?.shape).toEqual(shape);
      expect(sameBytes(tensors.get(name)!.data, data)).toBe(true);
    }
    const json = readJson<Record<string, unknown>>(`${path}/${CONFIG}`);
    expect({ ...config, target_modules: [...config.target_modules].sort() }).toEqual({
      r: json.r,
      lora_alpha: json.lora_alpha,
      target_modules: json.target_modules,
      use_rslora: json.use_rslora,
    });
  });

  test("is written with the very bytes of its weights, and with settings that PEFT had too", async () => {
    const files = writeAdapter(await readAdapter(folder(path), configOf(model)), model);
    expect(files.map((file) => file.path)).toEqual([CONFIG, WEIGHTS]);
    expect(sameBytes(files[1]!.bytes, readBytes(`${path}/${WEIGHTS}`))).toBe(true);
    const settings: Record<string, unknown> = JSON.parse(new TextDecoder().decode(files[0]!.bytes));
    expect(readJson(`${path}/${CONFIG}`)).toMatchObject(settings);
    expect((await readAdapter(written(files), configOf(model))).config).toEqual((await readAdapter(folder(path), configOf(model))).config);
  });
});

test("the scale is alpha / r, with rslora alpha / sqrt(r)", () => {
  const config = { r: 16, lora_alpha: 32, target_modules: ["q_proj"], use_rslora: false };
  expect(loraScale(config)).toBe(2);
  expect(loraScale({ ...config, use_rslora: true })).toBe(8);
});

test.each([
  ["all-linear", "all-linear"],
  ["whole names, as PEFT saves all-linear", PROJECTIONS.flatMap((p) => [0, 1, 2].map((i) => `model.layers.${i}.${projectionPath(p)}`))],
  ["names from the layer on", PROJECTIONS.map((projection) => projectionPath(projection))],
  ["a regular expression", "model\\.layers\\.\\d+\\.(self_attn|mlp)\\..*_proj"],
])("target_modules that mean the seven projections: %s", async (_, target_modules) => {
  const json = { ...readJson<object>(`dpo/tiny-qwen2/r8/adapter/${CONFIG}`), target_modules };
  const files = [
    { path: CONFIG, bytes: new TextEncoder().encode(JSON.stringify(json)) },
    { path: WEIGHTS, bytes: readBytes(`dpo/tiny-qwen2/r8/adapter/${WEIGHTS}`) },
  ];
  expect((await readAdapter(written(files), configOf("tiny-qwen2"))).config.target_modules).toHaveLength(7);
});

test("dropout does nothing in inference: it is read, and written again", async () => {
  const json = { ...readJson<object>(`dpo/tiny-qwen2/r8/adapter/${CONFIG}`), lora_dropout: 0.05 };
  const files = [
    { path: CONFIG, bytes: new TextEncoder().encode(JSON.stringify(json)) },
    { path: WEIGHTS, bytes: readBytes(`dpo/tiny-qwen2/r8/adapter/${WEIGHTS}`) },
  ];
  const adapter = await readAdapter(written(files), configOf("tiny-qwen2"));
  expect(adapter.config.lora_dropout).toBe(0.05);
  const [config] = writeAdapter(adapter, "tiny-qwen2");
  expect(JSON.parse(new TextDecoder().decode(config!.bytes))).toMatchObject({ lora_dropout: 0.05 });
});

describe("refused with one sentence", () => {
  const model = configOf("tiny-qwen2");
  const json = readJson<Record<string, unknown>>(`dpo/tiny-qwen2/r8-qv/adapter/${CONFIG}`);
  const weights = [...readSafetensors(`dpo/tiny-qwen2/r8-qv/adapter/${WEIGHTS}`)].map(([name, tensor]) => ({ name, ...tensor }));
  const read = (change: Record<string, unknown>, tensors = weights, base = model) => {
    const config = { path: CONFIG, bytes: new TextEncoder().encode(JSON.stringify({ ...json, ...change })) };
    return readAdapter(written([config, { path: WEIGHTS, bytes: writeSafetensors(tensors) }]), base);
  };

  test("but not the adapter from which the cases are made", async () => {
    expect((await read({})).tensors.size).toBe(weights.length);
  });

  test.each([
    ["another method of PEFT", { peft_type: "IA3" }, 'peft_type "IA3": expected LORA.'],
    ["DoRA", { use_dora: true }, "use_dora true: this setting of PEFT cannot be run; expected it to be off."],
    ["trained biases", { bias: "all" }, 'bias "all": trained biases cannot be run'],
    ["LoRA biases", { lora_bias: true }, "lora_bias true"],
    ["a dropout that is none", { lora_dropout: 1 }, "lora_dropout 1: expected a share below 1."],
    ["ranks by module", { rank_pattern: { q_proj: 4 } }, 'rank_pattern {"q_proj":4}'],
    ["whole modules", { modules_to_save: ["lm_head"] }, 'modules_to_save ["lm_head"]'],
    ["some layers", { layers_to_transform: [0] }, "layers_to_transform [0]"],
    ["a projection of some layers", { target_modules: ["layers.0.self_attn.q_proj"] }, "expected q_proj in all 3 layers or in none."],
    ["an embedding", { target_modules: ["q_proj", "embed_tokens"] }, "expected a list of names among q_proj, k_proj, v_proj, o_proj,"],
    ["no module", { target_modules: [] }, "target_modules []"],
    ["a regular expression of everything", { target_modules: ".*" }, 'target_modules ".*": only projections can be run.'],
    ["a regular expression of nothing", { target_modules: "_proj" }, 'target_modules "_proj": expected some of q_proj, k_proj'],
    ["no regular expression", { target_modules: "(q" }, 'target_modules "(q": expected a list of names, or a regular expression.'],
    ["no rank", { r: 0 }, "r 0: expected a whole number of at least 1."],
    ["no alpha", { lora_alpha: null }, "lora_alpha null: expected a number."],
    ["modules without tensors", { target_modules: ["q_proj", "o_proj", "v_proj"] }, 'o_proj.lora_A.weight" of shape [8,64], found none'],
    ["tensors without modules", { target_modules: ["q_proj"] }, 'v_proj.lora_A.weight" fits no projection'],
    ["another rank than the tensors'", { r: 4 }, "expected shape [4,64], found [8,64]: an adapter of another base?"],
  ])("%s", async (_, change, message) => {
    await expect(read(change)).rejects.toThrow(message);
    await expect(read(change)).rejects.toThrow(/^[^\n]+[.?]$/);
  });

  test("an adapter of another base", async () => {
    await expect(read({}, weights, configOf("tiny-qwen3"))).rejects.toThrow("an adapter of another base?");
    await expect(read({}, weights, configOf("awkward-qwen2"))).rejects.toThrow("an adapter of another base?");
    await expect(read({}, weights, { ...model, layers: 4 })).rejects.toThrow(
      '"base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight"',
    );
  });

  test("a value that is no number", async () => {
    const broken = weights.map((tensor, i) => (i === 0 ? { ...tensor, data: tensor.data.with(3, Number.NaN) } : tensor));
    await expect(read({}, broken)).rejects.toThrow("expected finite values");
  });

  test("a folder that lacks a file", async () => {
    await expect(readAdapter(written([]), model)).rejects.toThrow("written: expected a PEFT adapter, found no adapter_config.json.");
    const config = { path: CONFIG, bytes: readBytes(`dpo/tiny-qwen2/r8-qv/adapter/${CONFIG}`) };
    await expect(readAdapter(written([config]), model)).rejects.toThrow("found no adapter_model.safetensors.");
  });
});

test("an adapter's shapes cover its targets in every layer", () => {
  const shapes = adapterShapes({ r: 2, lora_alpha: 4, target_modules: ["down_proj"], use_rslora: false }, configOf("tiny-qwen2"));
  expect([...shapes]).toHaveLength(6);
  expect(shapes.get("base_model.model.model.layers.2.mlp.down_proj.lora_B.weight")).toEqual([64, 2]);
});
