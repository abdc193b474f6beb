// Broken files of every kind that Errata opens: an InputError or a result, soon, and nothing else of the page is touched.
import { zipSync } from "fflate";
import { afterEach, describe, expect, test } from "vitest";
import { InputError } from "../../src/input_error.ts";
import { readConfig as parseModelConfig } from "../../src/model/config.ts";
import { bytesFiles, readJson } from "../../src/model/files.ts";
import { GgufFolder } from "../../src/model/gguf.ts";
import { type AdapterFile, adapterShapes, readAdapter, writeAdapter } from "../../src/model/peft.ts";
import { bytesSource, readSafetensorsHeader, readTensorF32, writeSafetensors } from "../../src/model/safetensors.ts";
import { readCheckpoint, writeCheckpoint } from "../../src/storage/checkpoint.ts";
import { Journal, readJournal } from "../../src/storage/journal.ts";
import { readProblems } from "../../src/tasks/formats.ts";
import { readArchive } from "../../src/ui/recorded/run_archive.ts";
import { unzip } from "../../src/ui/recorded/unzip.ts";
import { readConfig } from "../../src/ui/url_config.ts";
import { readBytes } from "../golden/golden.ts";
import { MemoryFolder } from "./memory_folder.ts";
import { mutated } from "./mutate.ts";

/** Broken copies of each kind; `npm run verify -- reliability` asks for 10,000. */
const COPIES = Number(process.env.FAULT_FILES ?? 250);
const SLOW_MS = 2000;
const text = (value: string) => new TextEncoder().encode(value);

interface Kind {
  name: string;
  /** Whole files of the kind. */
  files: () => Uint8Array[] | Promise<Uint8Array[]>;
  open(bytes: Uint8Array): unknown;
}

const TINY = parseModelConfig(readJsonOf("models/tiny-qwen2/config.json"), "config.json");

const adapterFiles = (): AdapterFile => {
  const config = { r: 2, lora_alpha: 4, target_modules: ["q_proj"], use_rslora: false };
  const tensors: AdapterFile["tensors"] = new Map();
  for (const [name, [rows, columns]] of adapterShapes(config, TINY)) {
    tensors.set(name, { shape: [rows, columns], data: new Float32Array(rows * columns).fill(0.5) });
  }
  return { config, tensors };
};

const PEFT = writeAdapter(adapterFiles(), "tiny");

const KINDS: readonly Kind[] = [
  {
    name: "safetensors",
    files: () => [
      writeSafetensors(
        [...adapterFiles().tensors].map(([name, tensor]) => ({ name, ...tensor })),
        { format: "pt" },
      ),
    ],
    open: async (bytes) => {
      const source = bytesSource("broken", bytes);
      const { tensors } = await readSafetensorsHeader(source);
      for (const info of tensors.values()) await readTensorF32(source, info);
    },
  },
  {
    name: "GGUF",
    files: () => [readBytes("gguf/tiny-llama3.gguf")],
    open: async (bytes) => {
      const folder = await GgufFolder.open("broken", bytesSource("broken", bytes));
      await readJson(folder, "config.json");
    },
  },
  {
    name: "PEFT config",
    files: () => PEFT.filter(({ path }) => path.endsWith(".json")).map(({ bytes }) => bytes),
    open: (bytes) => {
      const files = PEFT.map((file) => (file.path.endsWith(".json") ? { ...file, bytes } : file));
      return readAdapter(bytesFiles("broken", files), TINY);
    },
  },
  {
    name: "problem file",
    files: () => [
      text(
        '{"task_id": "Own/1", "prompt": "def f(x):\\n", "entry_point": "f", "tests": ["assert f(1) == 2"]}\n'
          .repeat(2)
          .replace("Own/1", "Own/2"),
      ),
      text('[{"task_id": 2, "text": "Add.", "code": "def f(x):\\n  return x", "test_list": ["assert f(1) == 1"], "test_setup_code": ""}]'),
      text(
        '{"task_id": "HumanEval/0", "prompt": "def f(x):\\n", "canonical_solution": "  return x", "entry_point": "f", "test": "def check(c):\\n  assert c(1) == 1"}',
      ),
    ],
    open: (bytes) => readProblems(bytes, "broken.jsonl", 1),
  },
  {
    name: "run zip",
    files: () => [zipSync(RUN_FILES)],
    open: async (bytes) => readArchive("broken.zip", await unzip("broken.zip", bytes)),
  },
  {
    name: "address",
    files: () => [text("?preset=smoke&method=ap2o-h2l&seed=3&view=answers&lesson=first-run&power=low-power&compare=a,b")],
    open: (bytes) => readConfig(new TextDecoder().decode(bytes)),
  },
  { name: "checkpoint", files: async () => [await aCheckpoint()], open: (bytes) => readCheckpoint("broken", bytes) },
  { name: "journal", files: async () => [await aJournal()], open: (bytes) => readJournal("broken", bytes, 1) },
];

function readJsonOf(path: string): unknown {
  return JSON.parse(new TextDecoder().decode(readBytes(path)));
}

const RUN_FILES = {
  "run.json": text(JSON.stringify({ method: "dpo", preset: "smoke", seed: 1, config: {}, steps: 0, seconds: {} })),
  "notebook.json": text(JSON.stringify({ rule: "paper", scope: "problem", counts: {}, problems: [], dropped: [] })),
  ...Object.fromEntries(["samples", "results", "metrics", "preferences", "quizzes"].map((name) => [`${name}.jsonl`, text("")])),
};

function aCheckpoint(): Promise<Uint8Array> {
  const weights = adapterFiles();
  const student = {
    weights,
    expAvg: weights.tensors,
    expAvgSq: weights.tensors,
    counters: { steps: 3, updates: 3, tokens: 9, longest: 5 },
  };
  return writeCheckpoint("run", { step: 3, best: { step: 2, weights }, student });
}

async function aJournal(): Promise<Uint8Array> {
  const folder = new MemoryFolder();
  const journal = await Journal.begin(folder, "journal", 1);
  for (let i = 0; i < 6; i++) await journal.append({ type: "step", metrics: { step: i, loss: Number.NaN }, Ünïcode: "\u2028" });
  return folder.files.get("journal")!;
}

afterEach(() => {
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect("polluted" in {}).toBe(false);
});

describe.each(KINDS)("$name", ({ files, open }) => {
  test(`${COPIES} broken copies: an InputError or a result, soon`, { timeout: 60_000 + 20 * COPIES }, async () => {
    const whole = await files();
    for (const file of whole) await open(file);
    let refused = 0;
    for (let i = 0; i < COPIES; i++) {
      const started = performance.now();
      try {
        await open(mutated(whole[i % whole.length]!, i));
      } catch (error) {
        if (!(error instanceof InputError)) throw new Error(`copy ${i}: ${error instanceof Error ? error.stack : error}`);
        refused += 1;
      }
      expect(performance.now() - started, `copy ${i} took too long`).toBeLessThan(SLOW_MS);
    }
    if (open !== KINDS[5]!.open && open !== KINDS[7]!.open) expect(refused).toBeGreaterThan(COPIES / 10);
  });
});

describe("bombs", () => {
  const bomb = zipSync({ "run.json": new Uint8Array(1024) });

  test("a zip that claims to hold gigabytes is refused before anything is unpacked", async () => {
    const claims = bomb.slice();
    const view = new DataView(claims.buffer);
    const central = claims.findIndex((_, i) => i + 4 <= claims.length && view.getUint32(i, true) === 0x02014b50);
    view.setUint32(central + 24, 0xf0000000, true);
    await expect(unzip("bomb.zip", claims)).rejects.toThrow(InputError);
  });

  test("a zip of more files than a run has is refused", async () => {
    const many = zipSync(Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`f${i}`, new Uint8Array()])));
    await expect(unzip("many.zip", many)).rejects.toThrow("1001 files of 0 bytes unpacked; a run has at most 1000");
  });

  test("a gzip that claims to hold gigabytes is refused", () => {
    const claims = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff);
    expect(() => readProblems(claims, "bomb.jsonl.gz", 1)).toThrow("unpacked it would have 4294967295 bytes");
  });
});
