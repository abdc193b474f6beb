// logps, train and generate on every golden model, as a user calls them: files on a disk, paths from another folder, numbers on stdout.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errata, errataLines as run } from "../errata.ts";
import {
  findBytes,
  type LogpsLine,
  MODELS,
  readBytes,
  readJson,
  readJsonLines,
  readSafetensors,
  sameBytes,
  tensorsOf,
} from "../golden/golden.ts";
import { largestDistance, nmse } from "../gpu.ts";

let folder: string;
const called = process.env.INIT_CWD;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "errata models "));
  process.env.INIT_CWD = folder; // npm's word for where the user was
  for (const name of MODELS) {
    write(`${name}/model`, `models/${name}`, ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]);
    write(`${name}/adapter`, `dpo/${name}/r8/adapter`, ["adapter_config.json", "adapter_model.safetensors"]);
    write(name, `dpo/${name}`, ["pairs.jsonl"]);
  }
});
afterAll(() => {
  if (called === undefined) delete process.env.INIT_CWD;
  else process.env.INIT_CWD = called;
  rmSync(folder, { recursive: true });
});

function write(into: string, from: string, files: readonly string[]): void {
  mkdirSync(join(folder, into), { recursive: true });
  for (const file of files) writeFileSync(join(folder, into, file), readBytes(`${from}/${file}`));
}

describe.each(MODELS)("%s", (name) => {
  const policy = ["--model", `${name}/model`, "--adapter", `${name}/adapter`];

  test("logps", async () => {
    const got = await run<LogpsLine>("logps", ...policy, "--pairs", `${name}/pairs.jsonl`);
    const golden = readJsonLines<LogpsLine>(`dpo/${name}/r8/logps.jsonl`);
    expect(got.length).toBe(golden.length);
    golden.forEach((want, i) => {
      expect(Object.keys(got[i]!).sort()).toEqual(Object.keys(want).sort());
      for (const side of ["chosen", "rejected"] as const) {
        expect(largestDistance(got[i]![`${side}_token_logps`], want[`${side}_token_logps`])).toBeLessThan(1e-4);
        expect(Math.abs(got[i]![`${side}_logp`] - want[`${side}_logp`])).toBeLessThan(1e-3);
        expect(Math.abs(got[i]![`ref_${side}_logp`] - want[`ref_${side}_logp`])).toBeLessThan(1e-3);
      }
    });
  });

  test("generate --prompt-ids", async () => {
    const [, want] = readJson<{ prompt_ids: number[]; new_ids: number[] }[]>(`dpo/${name}/r8/greedy.json`);
    const prompt = ["--prompt-ids", want!.prompt_ids.join(), "--max-new-tokens", String(want!.new_ids.length), "--ignore-end-token"];
    const [sample] = await run<{ ids: number[]; ended: string }>("generate", ...policy, ...prompt);
    expect(sample).toMatchObject({ ids: want!.new_ids, ended: "length" });
  });
});

// The other models' gradients are compared without the command, which compiles for seconds (test/train/gradients.test.ts).
test.each(["awkward-qwen2", "tiny-qwen3"])("train --dump-grads on %s", async (name) => {
  const [batch, steps] = [
    ["--batch", "4"],
    ["--steps", "1", "--learning-rate", "1e-3"],
  ];
  const files = ["--pairs", `${name}/pairs.jsonl`, "--out", `${name}/out`, "--dump-grads", `${name}/grads.safetensors`];
  const [metrics] = await run<{ loss: number }>(
    "train",
    "--model",
    `${name}/model`,
    "--adapter",
    `${name}/adapter`,
    ...batch,
    ...steps,
    ...files,
  );
  expect(metrics!.loss).toBeCloseTo(readJson<{ dpo: { loss: number } }>(`dpo/${name}/r8/losses.json`).dpo.loss, 5);
  const got = tensorsOf(readFileSync(join(folder, name, "grads.safetensors")));
  const golden = readSafetensors(`dpo/${name}/r8/grads_dpo.safetensors`);
  expect([...got.keys()].sort()).toEqual([...golden.keys()].sort());
  for (const [tensor, { data }] of golden) expect(nmse(got.get(tensor)!.data, data), tensor).toBeLessThanOrEqual(1e-8);
});

test("logps --dtype f16 rounds the weights as PyTorch does", async () => {
  const args = ["--model", "tiny-llama/model", "--adapter", "tiny-llama/adapter", "--dtype", "f16"];
  const got = await run<LogpsLine>("logps", ...args, "--pairs", "tiny-llama/pairs.jsonl");
  readJsonLines<LogpsLine>("dpo/tiny-llama/r8/logps_f16.jsonl").forEach((want, i) => {
    for (const side of ["chosen", "rejected"] as const) {
      expect(largestDistance(got[i]![`${side}_token_logps`], want[`${side}_token_logps`])).toBeLessThan(1e-4);
    }
  });
});

test("accumulated batches update as one large batch does, to the bit", async () => {
  const common = [
    "--model",
    "tiny-qwen2/model",
    "--pairs",
    "tiny-qwen2/pairs.jsonl",
    "--steps",
    "2",
    "--learning-rate",
    "1e-2",
    "--r",
    "4",
  ];
  const trained = async (...batch: string[]) => {
    const [last] = await run<{ flops: number }>("train", ...common, ...batch, "--out", "trained");
    const bytes = (file: string) => readFileSync(join(folder, "trained", file));
    return { flops: last!.flops, adapter: bytes("adapter/adapter_model.safetensors"), references: bytes("references") };
  };
  const large = await trained("--batch", "4");
  const accumulated = await trained("--batch", "2", "--gradient-accumulation-steps", "2");
  expect(sameBytes(accumulated.adapter, large.adapter)).toBe(true);
  expect(sameBytes(accumulated.references, large.references), "references of the first training serve the second").toBe(true);
  expect(large.references.toString().split("\n").length).toBeGreaterThan(4);
  expect([accumulated.flops, large.flops > 1e6]).toEqual([large.flops, true]);
});

test("a model without a tokenizer runs token ids", async () => {
  write("bare", "models/tiny-qwen2", ["config.json", "model.safetensors"]);
  const [sample] = await run<{ ids: number[]; text: string }>(
    "generate",
    "--model",
    "bare",
    "--prompt-ids",
    "1,2,3",
    "--max-new-tokens",
    "3",
  );
  expect(sample!.ids).toHaveLength(3);
  const { status, stderr } = await errata("generate", "--model", "bare", "--prompt", "x");
  expect([status, stderr]).toEqual([2, expect.stringContaining("bare has no tokenizer.json: add it, or give token ids")]);
});

describe("bad input: one sentence that names file and tensor, exit status 2", () => {
  const header = (bytes: Uint8Array, change: (text: string) => string): Uint8Array => {
    const end = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
    const text = new TextEncoder().encode(change(new TextDecoder().decode(bytes.subarray(8, end))));
    const file = new Uint8Array(8 + text.length + bytes.length - end);
    new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
    file.set(text, 8);
    file.set(bytes.subarray(end), 8 + text.length);
    return file;
  };
  const weights = findBytes("models/tiny-qwen2/model.safetensors")!;
  const cases: [string, Uint8Array, RegExp][] = [
    [
      "truncated",
      weights.subarray(0, weights.length - 4),
      /model\.safetensors: tensor "[\w.]+": expected \d+ bytes of data, found \d+: the file is truncated/,
    ],
    [
      "a missing tensor",
      header(weights, (text) => text.replace("model.norm.weight", "model.gone.weight")),
      /expected tensor "model\.norm\.weight" of shape \[64\] by config\.json, found none/,
    ],
    [
      "a wrong shape",
      header(weights, (text) => text.replace('"shape":[320,64]', '"shape":[64,320]')),
      /tensor "model\.embed_tokens\.weight": expected shape \[320,64\] by config\.json, found \[64,320\]/,
    ],
    [
      "a dtype that is no float",
      header(weights, (text) => text.replace('"dtype":"F32"', '"dtype":"I32"')),
      /expected dtype F32, F16 or BF16, found I32/,
    ],
    ["no number", weights.slice().fill(0xff, weights.length - 4), /tensor "[\w.]+": expected finite values, found NaN/],
  ];
  test.each(cases)("weights: %s", async (_, bytes, sentence) => {
    write("broken", "models/tiny-qwen2", ["config.json", "tokenizer.json", "tokenizer_config.json"]);
    writeFileSync(join(folder, "broken", "model.safetensors"), bytes);
    await expectRefused(["logps", "--model", "broken", "--pairs", "tiny-qwen2/pairs.jsonl"], sentence);
  });

  test.each([
    ["an id beyond the vocabulary", { prompt_ids: [1], chosen_ids: [320], rejected_ids: [2] }, /line 1: expected token ids below 320/],
    ["an empty answer", { prompt_ids: [1], chosen_ids: [], rejected_ids: [2] }, /line 1: expected chosen_ids, a list of at least one/],
    ["an empty prompt", { prompt_ids: [], chosen_ids: [1], rejected_ids: [2] }, /line 1: expected prompt_ids, a list of at least one/],
    [
      "a pair beyond the context",
      { prompt_ids: new Array(1100).fill(1), chosen_ids: [1], rejected_ids: [2] },
      /line 1: expected at most \d+ tokens, the model's context, found a pair of 1101/,
    ],
  ])("pairs: %s", async (_, pair, sentence) => {
    writeFileSync(join(folder, "bad.jsonl"), `${JSON.stringify(pair)}\n`);
    await expectRefused(["logps", "--model", "tiny-qwen2/model", "--pairs", "bad.jsonl"], sentence);
  });

  test("an adapter of another base", async () => {
    await expectRefused(
      ["generate", "--model", "tiny-qwen2/model", "--adapter", "awkward-qwen2/adapter", "--prompt", "x"],
      /adapter_model\.safetensors: tensor "[\w.]+": expected shape \[8,64\], found \[8,72\]: an adapter of another base\?/,
    );
  });

  async function expectRefused(args: readonly string[], sentence: RegExp): Promise<void> {
    const { status, stdout, stderr } = await errata(...args);
    const said = stderr
      .trim()
      .split("\n")
      .filter((line) => line.startsWith("errata: "));
    expect(said).toEqual([expect.stringMatching(sentence)]);
    expect([status, stdout]).toEqual([2, ""]);
  }
});
