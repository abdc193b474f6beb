// Ten steps as TRL's own DPOTrainer takes and logs them: every metric, under its name, every step, and the adapter in the end.
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDevice } from "../../src/gpu/device.ts";
import { Gpu } from "../../src/gpu/gpu.ts";
import { type Adapter, adapterFromFile, adapterToFile, freeAdapter } from "../../src/model/lora.ts";
import { freeModel, loadModel, type Model } from "../../src/model/model.ts";
import { readAdapter } from "../../src/model/peft.ts";
import { DEFAULT_OPTIONS, type LossType } from "../../src/train/objectives.ts";
import { readPairs } from "../../src/train/pair.ts";
import { Trainer, type TrainingPair } from "../../src/train/trainer.ts";
import { folder, modelFiles, readBytes, readJson, readJsonLines, readSafetensors } from "../golden/golden.ts";

interface Settings {
  adapter: string;
  pairs: Record<string, string>;
  loss_type: LossType;
  beta: number;
  batch: number;
  steps: number;
  learning_rate: number;
  lr_scheduler_type: "linear";
  warmup_steps: number;
  weight_decay: number;
  max_grad_norm: number;
}

const settings = readJson<Settings>("trl/settings.json");

let gpu: Gpu;
let model: Model;
let adapter: Adapter;
beforeAll(async () => {
  gpu = new Gpu((await openDevice()).device);
  model = await loadModel(gpu, modelFiles("tiny-qwen2"), { dtype: "f32" });
});
afterAll(() => {
  freeModel(gpu, model);
  gpu.destroy();
});

function pairsOf(name: string): TrainingPair[] {
  const file = settings.pairs[name]!;
  return readPairs(new TextDecoder().decode(readBytes(file)), file, model.tokenizer, model.config);
}

async function withTrainer(use: (trainer: Trainer) => Promise<void>, packTokens = 1024, lossType = settings.loss_type): Promise<void> {
  adapter = adapterFromFile(gpu, model, await readAdapter(folder(settings.adapter), model.config));
  const { beta, steps, learning_rate, lr_scheduler_type, warmup_steps, weight_decay, max_grad_norm } = settings;
  const trainer = new Trainer(gpu, model, adapter, {
    lossType,
    objective: { ...DEFAULT_OPTIONS, beta },
    schedule: { schedule: lr_scheduler_type, learningRate: learning_rate, warmupSteps: warmup_steps, totalSteps: steps },
    optimizer: { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: weight_decay, maxGradNorm: max_grad_norm },
    packTokens,
  });
  await use(trainer);
  trainer.free();
  freeAdapter(gpu, adapter);
}

function batchOf(pairs: readonly TrainingPair[], step: number): TrainingPair[] {
  return Array.from({ length: settings.batch }, (_, i) => pairs[((step - 1) * settings.batch + i) % pairs.length]!);
}

/** TRL's names, but for those that whoever loops over the steps knows. */
const NAMES = readJson<{ every_log: string[] }>("trl/metric_names.json").every_log.filter((name) => name !== "epoch" && name !== "step");

test.each(["ids", "text", "chat"])("%s: ten steps give every metric of TRL, and its adapter", async (name) => {
  const golden = readJsonLines<Record<string, number>>(`trl/${name}/metrics.jsonl`);
  const pairs = pairsOf(name);
  await withTrainer(async (trainer) => {
    for (let step = 1; step <= settings.steps; step++) {
      const metrics: Record<string, number> = { ...(await trainer.step(batchOf(pairs, step))) };
      expect(Object.keys(metrics).sort(), "the names").toEqual([...NAMES, "tokens"].sort());
      for (const key of NAMES) {
        const want = golden[step - 1]![key]!;
        const size = Math.max(key === "learning_rate" ? 1e-3 : 1, Math.abs(want)); // as golden's own check measures
        expect(Math.abs(metrics[key]! - want) / size, `step ${step}: ${key} ${metrics[key]}, expected ${want}`).toBeLessThan(1e-4);
      }
    }
    const { tensors } = await adapterToFile(gpu, adapter);
    for (const [tensor, { data }] of readSafetensors(`trl/${name}/adapter_step10.safetensors`)) {
      const got = tensors.get(tensor)!.data;
      const largest = data.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
      const strays = data.reduce((n, v, i) => n + Number(Math.abs(got[i]! - v) > 1e-4 * largest), 0);
      // Adam divides a gradient by its own size: an entry whose gradient is rounding noise may move either way in a correct program.
      expect(strays, `${tensor}: entries off`).toBeLessThanOrEqual(data.length / 1000);
    }
  });
});

test("a batch in several packs reports what one pack reports", async () => {
  const batch = pairsOf("text");
  const [golden] = readJsonLines<Record<string, number>>("trl/text/metrics.jsonl");
  await withTrainer(async (trainer) => {
    const { entropy, ...metrics } = await trainer.computeGradients(batch.slice(0, settings.batch));
    expect(entropy).toBeCloseTo(golden!.entropy!, 4);
    expect(metrics["logits/rejected"]).toBeCloseTo(golden!["logits/rejected"]!, 4);
  }, 1);
});

test("SFT reports no rewards and no logits, and its tokens alone", async () => {
  const batch = batchOf(pairsOf("ids"), 1).map((pair) => ({ ...pair, rejectedIds: [] }));
  await withTrainer(
    async (trainer) => {
      const first = await trainer.step(batch);
      expect(Object.keys(first).sort()).toEqual(
        ["loss", "grad_norm", "learning_rate", "entropy", "num_tokens", "mean_token_accuracy", "tokens"].sort(),
      );
      expect(first.tokens).toBe(batch.reduce((n, { promptIds, chosenIds }) => n + promptIds.length + chosenIds.length, 0));
      expect((await trainer.step(batch)).num_tokens).toBe(2 * first.tokens);
    },
    1024,
    "sft",
  );
});
