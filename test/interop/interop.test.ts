// What Errata writes opens in the real PEFT, TRL, datasets and transformers, and what these write opens here, with the same numbers.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { appendsOf } from "../../src/ap2o/run_files.ts";
import { folderFiles } from "../../src/cli/folder.ts";
import { openDevice } from "../../src/gpu/device.ts";
import { Gpu } from "../../src/gpu/gpu.ts";
import { generate } from "../../src/model/generate.ts";
import { type Adapter, adapterFromFile, adapterGradients } from "../../src/model/lora.ts";
import { loadModel, type Model } from "../../src/model/model.ts";
import { readAdapter } from "../../src/model/peft.ts";
import { writeSafetensors } from "../../src/model/safetensors.ts";
import type { Preference } from "../../src/records.ts";
import { type CompletionLogps, pairLogps } from "../../src/train/logps.ts";
import { DEFAULT_OPTIONS } from "../../src/train/objectives.ts";
import { readPairs, type TokenPair } from "../../src/train/pair.ts";
import { Trainer, type TrainOptions } from "../../src/train/trainer.ts";
import { errataLines as run } from "../errata.ts";
import { type LogpsLine, readBytes, readJsonLines, readSafetensors, tensorsOf } from "../golden/golden.ts";
import { largestDistance, nmse } from "../gpu.ts";
import { Peers } from "./peers.ts";
import { RANDOM_MODELS } from "./random_models.ts";

const DEMO = resolve(import.meta.dirname, "..", "..", "public", "models", "demo");
const TOKENIZER = ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"];

let peers: Peers;
let folder: string;
/** An adapter that `errata train` made, every setting apart from its default. */
let trained: string;
beforeAll(async () => {
  peers = new Peers();
  folder = mkdtempSync(join(tmpdir(), "errata-interop-"));
  write("base", "models/tiny-qwen2", ["config.json", "model.safetensors", ...TOKENIZER]);
  write("golden_adapter", "dpo/tiny-qwen2/r8/adapter", ["adapter_config.json", "adapter_model.safetensors"]);
  write(".", "dpo/tiny-qwen2", ["pairs.jsonl"]);
  const lora = ["--r", "5", "--lora-alpha", "7", "--use-rslora", "--target-modules", "q_proj,v_proj,o_proj,gate_proj,down_proj"];
  const steps = ["--steps", "3", "--batch", "2", "--learning-rate", "1e-2", "--seed", "3"];
  await run("train", "--model", at("base"), "--pairs", at("pairs.jsonl"), "--out", at("trained"), ...lora, ...steps);
  trained = at("trained", "adapter");
});
afterAll(() => {
  peers?.end();
  rmSync(folder, { recursive: true, force: true });
});

const at = (...path: string[]) => join(folder, ...path);

/** Writes golden files into a folder of the test's own, as the libraries open them. */
function write(into: string, from: string, files: readonly string[]): void {
  mkdirSync(at(into), { recursive: true });
  for (const file of files) writeFileSync(at(into, file), readBytes(`${from}/${file}`));
}

/** Every field within 1e-4 per token and 1e-3 per sum. */
function expectSameLogps(got: readonly LogpsLine[], want: readonly LogpsLine[]): void {
  expect(got.length).toBe(want.length);
  got.forEach((row, i) => {
    for (const side of ["chosen", "rejected"] as const) {
      expect(largestDistance(row[`${side}_token_logps`], want[i]![`${side}_token_logps`]), `pair ${i}: ${side} per token`).toBeLessThan(
        1e-4,
      );
      for (const key of [`${side}_logp`, `ref_${side}_logp`] as const) {
        expect(Math.abs(row[key] - want[i]![key]), `pair ${i}: ${key}`).toBeLessThan(1e-3);
      }
    }
  });
}

test("an adapter trained here gives the same log-probabilities in PEFT", async () => {
  const there = await peers.ask("logps", { model: at("base"), pairs: at("pairs.jsonl"), adapter: trained });
  const here = await run<LogpsLine>("logps", "--model", at("base"), "--adapter", trained, "--pairs", at("pairs.jsonl"));
  expectSameLogps(here, there);
  const moved = here.map(({ chosen_logp, ref_chosen_logp }) => Math.abs(chosen_logp - ref_chosen_logp));
  expect(Math.min(...moved), "training moved every pair").toBeGreaterThan(0.1);
}, 120_000);

test("an adapter trained here goes on in TRL: its reference is a copy, so the first loss is log 2", async () => {
  const preferences = at("golden_preferences.jsonl");
  writeFileSync(preferences, readBytes("trl/preferences.jsonl"));
  const { steps } = await peers.ask("train", { model: at("base"), preferences, adapter: trained });
  expect(steps).toHaveLength(2);
  expect(steps[0]!.loss).toBeCloseTo(Math.LN2, 6);
  const [first] = await run<Record<string, number>>(
    ...["train", "--model", at("base"), "--adapter", trained, "--pairs", preferences, "--steps", "1", "--batch", "2", "--out", at("on")],
  );
  for (const key of ["logps/chosen", "logps/rejected", "logits/chosen", "entropy", "mean_token_accuracy", "num_tokens"]) {
    expect(Math.abs(first![key]! - steps[0]![key]!), key).toBeLessThan(1e-4 * Math.max(1, Math.abs(steps[0]![key]!)));
  }
  expect(steps[1]!.loss).not.toBeCloseTo(Math.LN2, 4);
}, 120_000);

test("a run's preferences.jsonl opens in datasets and trains in TRL, on the tokens that it has here", async () => {
  const solution = (body: string) => `    ${body}\n`;
  const pairs = [1, 2, 3, 4].map(
    (n): Preference => ({
      step: n,
      task_id: `Demo/${n}`,
      prompt: `# Return n times ${n}.\ndef times_${n}(n):\n`,
      chosen: solution(`return n * ${n}`),
      rejected: solution(n % 2 ? `return n + ${n}` : 'return "ü" + n  # wrong'),
      chosen_index: n,
      rejected_index: 2 * n,
      chosen_ended: "stop",
      rejected_ended: n % 2 ? "length" : "stop",
      error_type: n % 2 ? "AssertionError" : "TypeError",
      epoch: n / 4,
      window: [0, n],
      source: n % 2 ? "window" : "replay",
      probability: 1 / n,
    }),
  );
  const preferences = at("preferences.jsonl");
  const event = {
    type: "step",
    steps: 4,
    metrics: {
      step: 1,
      epoch: 1,
      loss: 1,
      grad_norm: 1,
      learning_rate: 1,
      entropy: 1,
      num_tokens: 1,
      mean_token_accuracy: 1,
      tokens_per_second: 1,
    },
    pairs,
  } as const;
  writeFileSync(
    preferences,
    appendsOf(event)
      .filter(({ file }) => file === "preferences.jsonl")
      .map(({ text }) => text)
      .join(""),
  );

  const there = await peers.ask("train", { model: DEMO, preferences, steps: 2, batch: 4 });
  expect(there.rows).toBe(4);
  expect(there.columns).toEqual(expect.arrayContaining(["prompt", "chosen", "rejected", "task_id", "error_type", "probability"]));
  expect(there.steps[0]!.loss).toBeCloseTo(Math.LN2, 6);
  const [first] = await run<Record<string, number>>("train", "--pairs", preferences, "--steps", "1", "--batch", "4", "--out", at("demo"));
  for (const key of ["loss", "logps/chosen", "logps/rejected", "logits/rejected", "entropy", "num_tokens"]) {
    expect(Math.abs(first![key]! - there.steps[0]![key]!), key).toBeLessThan(1e-4 * Math.max(1, Math.abs(there.steps[0]![key]!)));
  }
}, 120_000);

/** Splits the base's weights over two files, as transformers does it with large models. */
function writeShards(into: string): void {
  write(into, "models/tiny-qwen2", ["config.json", ...TOKENIZER]);
  const tensors = [...readSafetensors("models/tiny-qwen2/model.safetensors")].map(([name, tensor]) => ({ name, ...tensor }));
  const files = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
  const fileOf = (i: number) => files[i % 2]!;
  for (const file of files) {
    const own = tensors.filter((_, i) => fileOf(i) === file);
    writeFileSync(at(into, file), writeSafetensors(own, { format: "pt" }));
  }
  const index = { metadata: { total_size: 638208 }, weight_map: Object.fromEntries(tensors.map(({ name }, i) => [name, fileOf(i)])) };
  writeFileSync(at(into, "model.safetensors.index.json"), JSON.stringify(index));
}

test.each([
  { base: "base", dtype: null, allowed: 1e-4 },
  { base: "shards", dtype: "bf16", allowed: 0.1 }, // bfloat16 keeps eight bits of a weight
])(
  "merged weights ($base, dtype $dtype) open in transformers and give the adapter's log-probabilities",
  async ({ base, dtype, allowed }) => {
    if (base === "shards") writeShards(base);
    const merged = at(`merged_${base}`);
    const flags = dtype === null ? [] : ["--dtype", dtype];
    const [summary] = await run("merge", "--model", at(base), "--adapter", at("golden_adapter"), "--out", merged, ...flags);
    expect(summary).toMatchObject({ changed: 21, tensors: 38 });
    const there = await peers.ask("logps", { model: merged, pairs: at("pairs.jsonl") });
    for (const [i, golden] of readJsonLines<LogpsLine>("dpo/tiny-qwen2/r8/logps.jsonl").entries()) {
      for (const side of ["chosen_token_logps", "rejected_token_logps"] as const) {
        expect(largestDistance(there[i]![side], golden[side]), `pair ${i}: ${side}`).toBeLessThan(allowed);
      }
    }
    expectSameLogps(await run<LogpsLine>("logps", "--model", merged, "--pairs", at("pairs.jsonl")), there);
  },
  120_000,
);

describe.each(RANDOM_MODELS)("a random model and adapter that transformers and PEFT saved: $name", ({ name, config, lora, dtype }) => {
  let gpu: Gpu;
  let model: Model;
  let adapter: Adapter;
  let pairs: TokenPair[];
  let there: { model: string; adapter: string; pairs: string };
  beforeAll(async () => {
    there = { model: at(name, "model"), adapter: at(name, "adapter"), pairs: at("pairs.jsonl") };
    const seed = RANDOM_MODELS.findIndex((other) => other.name === name);
    await peers.ask("make", { out: at(name), config, lora, seed, dtype: dtype ?? "float32" });
    write(join(name, "model"), "models/tiny-qwen2", TOKENIZER);
    gpu = new Gpu((await openDevice()).device);
    model = await loadModel(gpu, await folderFiles(there.model), { dtype: "f32" });
    adapter = adapterFromFile(gpu, model, await readAdapter(await folderFiles(there.adapter), model.config));
    pairs = readPairs(readFileSync(there.pairs, "utf8"), there.pairs, model.tokenizer, model.config);
  });
  afterAll(() => gpu?.destroy());

  test("log-probabilities", async () => {
    const want = await peers.ask("logps", there);
    const policy = await pairLogps(gpu, model, adapter, pairs);
    const reference = await pairLogps(gpu, model, null, pairs);
    expectSameLogps(
      pairs.map((_, i) => fieldsOf(policy[i]!, reference[i]!)),
      want,
    );
  });

  test("gradients of every adapter tensor", async () => {
    const out = at(name, "gradients.safetensors");
    const loss = await peers.ask("gradients", { ...there, out });
    const trainer = new Trainer(gpu, model, adapter, TRAIN_OPTIONS);
    expect((await trainer.computeGradients(pairs)).loss).toBeCloseTo(loss, 5);
    trainer.free();
    const got = await adapterGradients(gpu, adapter);
    const want = tensorsOf(readFileSync(out));
    expect([...got.keys()].sort()).toEqual([...want.keys()].sort());
    for (const [tensor, { data }] of want) expect(nmse(got.get(tensor)!.data, data), tensor).toBeLessThanOrEqual(1e-8);
  });

  test("greedy continuation", async () => {
    const { promptIds } = pairs[0]!;
    const want = await peers.ask("greedy", { model: there.model, adapter: there.adapter, prompt_ids: promptIds, tokens: 16 });
    expect(want.margin, "a tie proves nothing: choose another seed").toBeGreaterThan(1e-4);
    const options = { temperature: 0, maxNewTokens: 16, seed: 0, stop: [] };
    for await (const { ids } of generate(gpu, model, adapter, [{ promptIds, stream: 0 }], options)) {
      expect(ids).toEqual(want.ids.slice(0, ids.length));
      expect(ids.length === 16 || model.config.eosTokenIds.includes(want.ids[ids.length]!)).toBe(true);
    }
  });
});

const TRAIN_OPTIONS: TrainOptions = {
  lossType: "sigmoid",
  objective: DEFAULT_OPTIONS,
  schedule: { schedule: "constant", learningRate: 1e-3, warmupSteps: 0, totalSteps: 1 },
  optimizer: { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, maxGradNorm: 1 },
};

/** The fields of `errata logps`. */
function fieldsOf(policy: CompletionLogps, reference: CompletionLogps): LogpsLine {
  const sum = (logps: Float32Array) => logps.reduce((total, logp) => total + logp, 0);
  return {
    chosen_logp: sum(policy.chosen),
    rejected_logp: sum(policy.rejected),
    ref_chosen_logp: sum(reference.chosen),
    ref_rejected_logp: sum(reference.rejected),
    chosen_token_logps: [...policy.chosen],
    rejected_token_logps: [...policy.rejected],
  };
}
