// Sampling: greedy continuations equal PyTorch's, and an answer depends on its own seed, stream and prompt alone.
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDevice } from "../../src/gpu/device.ts";
import { Gpu } from "../../src/gpu/gpu.ts";
import { generate, type Sampled, type SampleRequest } from "../../src/model/generate.ts";
import { adapterFromFile, freeAdapter } from "../../src/model/lora.ts";
import { freeModel, loadModel, type Model } from "../../src/model/model.ts";
import { readAdapter } from "../../src/model/peft.ts";
import { streamOf } from "../../src/random.ts";
import { folder, MODELS, modelFiles, readJson } from "../golden/golden.ts";

interface Greedy {
  prompt_ids: number[];
  new_ids: number[];
}

let gpu: Gpu;
beforeAll(async () => {
  gpu = new Gpu((await openDevice()).device);
});
afterAll(() => gpu?.destroy());

async function answers(
  model: Model,
  requests: SampleRequest[],
  options: Partial<Parameters<typeof generate>[4]> = {},
  adapter: Parameters<typeof generate>[2] = null,
) {
  const out: Sampled[] = [];
  const all = { temperature: 1, maxNewTokens: 24, seed: 3, stop: [], ...options };
  for await (const sampled of generate(gpu, model, adapter, requests, all)) out.push(sampled);
  return out.sort((a, b) => a.index - b.index);
}

test.each(MODELS)("greedy continuations of %s", async (name) => {
  const loaded = await loadModel(gpu, modelFiles(name), { dtype: "f32" });
  const model = { ...loaded, config: { ...loaded.config, eosTokenIds: [] } }; // the golden continuations run through the end token
  const { greedy } = readJson<{ greedy: Greedy[] }>(`forward/${name}.json`);
  const requests = greedy.map((g) => ({ promptIds: g.prompt_ids, stream: 0 }));
  const out = await answers(model, requests, { temperature: 0, maxNewTokens: greedy[0]!.new_ids.length });
  expect(out.map((s) => s.ids)).toEqual(greedy.map((g) => g.new_ids));

  const adapter = adapterFromFile(gpu, model, await readAdapter(folder(`dpo/${name}/r8/adapter`), model.config));
  const adapted = readJson<Greedy[]>(`dpo/${name}/r8/greedy.json`);
  const withAdapter = await answers(
    model,
    adapted.map((g) => ({ promptIds: g.prompt_ids, stream: 0 })),
    { temperature: 0, maxNewTokens: adapted[0]!.new_ids.length },
    adapter,
  );
  expect(withAdapter.map((s) => s.ids)).toEqual(adapted.map((g) => g.new_ids));
  freeAdapter(gpu, adapter);
  freeModel(gpu, loaded);
});

/** The test's adapter as it would be used if it were a graphics card. */
async function asGraphicsCard(run: () => Promise<void>): Promise<void> {
  const { software } = gpu;
  Object.defineProperty(gpu, "software", { value: false, configurable: true });
  try {
    await run();
  } finally {
    Object.defineProperty(gpu, "software", { value: software, configurable: true });
  }
}

test.each(["tiny-qwen3"])(
  "greedy continuations of %s by the kernels that a graphics card decodes with",
  async (name) => {
    await asGraphicsCard(async () => {
      const loaded = await loadModel(gpu, modelFiles(name), { dtype: "f32" });
      const model = { ...loaded, config: { ...loaded.config, eosTokenIds: [] } };
      const { greedy } = readJson<{ greedy: Greedy[] }>(`forward/${name}.json`);
      const options = { temperature: 0, maxNewTokens: greedy[0]!.new_ids.length };
      const requests = greedy.map((g) => ({ promptIds: g.prompt_ids, stream: 0 }));
      expect((await answers(model, requests, options)).map((s) => s.ids)).toEqual(greedy.map((g) => g.new_ids));
      const adapter = adapterFromFile(gpu, model, await readAdapter(folder(`dpo/${name}/r8/adapter`), model.config));
      const adapted = readJson<Greedy[]>(`dpo/${name}/r8/greedy.json`);
      const adaptedRequests = adapted.map((g) => ({ promptIds: g.prompt_ids, stream: 0 }));
      const withAdapter = await answers(model, adaptedRequests, { ...options, maxNewTokens: adapted[0]!.new_ids.length }, adapter);
      expect(withAdapter.map((s) => s.ids)).toEqual(adapted.map((g) => g.new_ids));
      freeAdapter(gpu, adapter);
      freeModel(gpu, loaded);
    });
  },
  240_000,
);

test("on a graphics card, too, an answer does not depend on batch size or company, where keys come in several chunks", async () => {
  await asGraphicsCard(async () => {
    const model = await loadModel(gpu, modelFiles("tiny-qwen2"), { dtype: "f32" });
    const long = Array.from({ length: 126 }, (_, i) => (7 * i + 3) % 300); // beyond one chunk while it is answered
    const requests = Array.from({ length: 6 }, (_, i) => ({ promptIds: i % 2 ? long : [9, 3], stream: streamOf(`test/${i}`) }));
    const whole = await answers(model, requests, { batch: 64, maxNewTokens: 6 });
    expect(await answers(model, requests, { batch: 2, maxNewTokens: 6 })).toEqual(whole);
    for (const i of [2, 3]) expect((await answers(model, [requests[i]!], { maxNewTokens: 6 }))[0]!.ids).toEqual(whole[i]!.ids);
    freeModel(gpu, model);
  });
}, 240_000);

test("an answer does not depend on batch size, order or company", async () => {
  const model = await loadModel(gpu, modelFiles("tiny-qwen2"), { dtype: "f32" });
  const prompts = [[5, 6, 7], [9], [11, 12, 13, 14, 15, 16]];
  const requests = Array.from({ length: 20 }, (_, i) => ({ promptIds: prompts[i % 3]!, stream: streamOf(`test/${i}`) }));
  const whole = await answers(model, requests, { batch: 64 });
  const small = await answers(model, requests, { batch: 3 });
  expect(small).toEqual(whole);
  const alone = await answers(model, [requests[7]!]);
  expect(alone[0]!.ids).toEqual(whole[7]!.ids);
  expect(new Set(whole.map((s) => s.ids.join())).size).toBeGreaterThan(15); // streams differ
  const other = await answers(model, requests, { seed: 4 });
  expect(other).not.toEqual(whole);
  freeModel(gpu, model);
});

test("an answer ends before a stop string, at the end token, or at its length", async () => {
  const model = await loadModel(gpu, modelFiles("tiny-qwen2"), { dtype: "f32" });
  const requests = Array.from({ length: 40 }, (_, i) => ({ promptIds: [5, 6, 7], stream: i }));
  const free = await answers(model, requests, { maxNewTokens: 30 });
  const letter = [...free.map((s) => s.text).join("")].find((c) => /[a-z]/.test(c))!;
  const stopped = await answers(model, requests, { maxNewTokens: 30, stop: [letter] });
  stopped.forEach((s, i) => {
    const cut = free[i]!.text.indexOf(letter);
    if (cut < 0) expect(s).toEqual(free[i]);
    else expect([s.text, s.ended]).toEqual([free[i]!.text.slice(0, cut), "stop"]);
  });
  expect(stopped.some((s) => s.ended === "stop")).toBe(true);
  expect(free.some((s) => s.ended === "length" && s.ids.length === 30)).toBe(true);
  freeModel(gpu, model);
});

test("the work of answers, and of each prompt once, is what the GPU was given", async () => {
  const model = await loadModel(gpu, modelFiles("tiny-qwen2"), { dtype: "f32" });
  const adapter = adapterFromFile(gpu, model, await readAdapter(folder("dpo/tiny-qwen2/r8/adapter"), model.config));
  const prompts = [[5, 6, 7], [9], [11, 12, 13, 14, 15, 16]];
  const requests = Array.from({ length: 9 }, (_, i) => ({ promptIds: prompts[i % 3]!, stream: i }));
  for (const each of [null, adapter]) {
    const before = gpu.counters.flops;
    const whole = await answers(model, requests, { maxNewTokens: 16 }, each);
    const reading = whole.slice(0, 3).reduce((sum, { promptFlops }) => sum + promptFlops, 0);
    expect(whole.reduce((sum, { flops }) => sum + flops, reading)).toBe(gpu.counters.flops - before);
    expect(await answers(model, requests, { maxNewTokens: 16, batch: 2 }, each)).toEqual(whole);
  }
  freeAdapter(gpu, adapter);
  freeModel(gpu, model);
});

test("nothing is left on the GPU", async () => {
  const before = gpu.counters.buffers;
  const model = await loadModel(gpu, modelFiles("tiny-llama"), { dtype: "f32" });
  await answers(model, [{ promptIds: [1, 2], stream: 0 }]);
  freeModel(gpu, model);
  expect(gpu.counters.buffers).toBe(before);
});

test("bad prompts are refused in one sentence", async () => {
  const model = await loadModel(gpu, modelFiles("tiny-qwen2"), { dtype: "f32" });
  await expect(answers(model, [{ promptIds: [], stream: 0 }])).rejects.toThrow("needs at least one token");
  await expect(answers(model, [{ promptIds: [9999], stream: 0 }])).rejects.toThrow("token 9999");
  await expect(answers(model, [{ promptIds: [1], stream: 0 }], { maxNewTokens: 10 ** 6 })).rejects.toThrow("context");
  freeModel(gpu, model);
});
