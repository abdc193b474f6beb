// Broken files of every kind that Errata opens: an InputError or a result, soon, and nothing else of the page is touched.
import { gzipSync, zipSync } from "fflate";
import { afterEach, describe, expect, test } from "vitest";
import { InputError } from "../../src/input_error.ts";
import { readConfig as parseModelConfig } from "../../src/model/config.ts";
import { bytesFiles, readJson } from "../../src/model/files.ts";
import { GgufFolder } from "../../src/model/gguf.ts";
import { type AdapterFile, adapterShapes, readAdapter, writeAdapter } from "../../src/model/peft.ts";
import { bytesSource, readSafetensorsHeader, readTensorF32, writeSafetensors } from "../../src/model/safetensors.ts";
import { loadTokenizer } from "../../src/model/tokenizer.ts";
import { readCheckpoint, writeCheckpoint } from "../../src/storage/checkpoint.ts";
import { Journal, readJournal } from "../../src/storage/journal.ts";
import { readProblems } from "../../src/tasks/formats.ts";
import { readArchive } from "../../src/ui/recorded/run_archive.ts";
import { timelineOf } from "../../src/ui/recorded/timeline.ts";
import { unzip } from "../../src/ui/recorded/unzip.ts";
import { applyEvent, emptyRun, errorComparisons } from "../../src/ui/run_state.ts";
import { readConfig } from "../../src/ui/url_config.ts";
import { fakeRunFiles } from "../ap2o/fake_run.ts";
import { readBytes } from "../golden/golden.ts";
import { MemoryFolder } from "./memory_folder.ts";
import { mutated } from "./mutate.ts";

/** Broken copies of each kind; `npm run verify -- reliability` asks for 10,000. */
const COPIES = Number(process.env.FAULT_FILES ?? 250);
const SLOW_MS = 2000;
/** What opening one of these small files may take. */
const MOST_BYTES = 128 * 2 ** 20;
const text = (value: string) => new TextEncoder().encode(value);

interface Kind {
  name: string;
  /** Whole files of the kind, with a name where that tells how they are read. */
  files: () => readonly WholeFile[] | Promise<readonly WholeFile[]>;
  open(bytes: Uint8Array, name: string): unknown;
  /** A copy that is not refused opens as the whole file does: it has checksums. */
  sealed?: true;
  /** Most copies can be read as far as they are whole, or as another file of the kind. */
  lenient?: true;
}

type WholeFile = Uint8Array | { readonly name: string; readonly bytes: Uint8Array };

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
    lenient: true,
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
      ...["evalplus", "livecodebench", "taco"].flatMap((name) => rowsOf(`problems/${name}.jsonl`)),
      text(CODE_CONTESTS),
      { name: "broken.md", bytes: text(MARKDOWN) },
    ],
    open: (bytes, name) => readProblems(bytes, name || "broken.jsonl", 1),
  },
  {
    name: "gzipped problem file",
    sealed: true,
    files: () => [gzipSync(rowsOf("problems/taco.jsonl")[0]!)],
    open: (bytes) => readProblems(isGzip(bytes) ? bytes : Uint8Array.of(0x1f, 0x8b), "broken.jsonl.gz", 1),
  },
  {
    name: "model config",
    files: () => ["Qwen2.5-Coder-0.5B", "Llama-3.2-1B", "Qwen3-0.6B"].map((name) => readBytes(`configs/${name}.json`)),
    open: async (bytes) =>
      parseModelConfig(await readJson(bytesFiles("broken", [{ path: "config.json", bytes }]), "config.json"), "config.json"),
    lenient: true,
  },
  {
    name: "tokenizer",
    files: () => [readBytes("models/tiny-qwen2/tokenizer.json")],
    open: async (bytes) => {
      const settings = { path: "tokenizer_config.json", bytes: readBytes("models/tiny-qwen2/tokenizer_config.json") };
      const tokenizer = await loadTokenizer(bytesFiles("broken", [{ path: "tokenizer.json", bytes }, settings]));
      tokenizer.decode(tokenizer.encode("def f(x):\n    return 'ü'", { addSpecial: true }));
    },
  },
  {
    name: "run zip",
    sealed: true,
    files: async () => [zipSync(await runFiles(), { level: 6 }), zipSync(await runFiles(), { level: 0 })],
    open: async (bytes) => [...(await unzip("broken.zip", bytes))].sort(),
  },
  {
    name: "recorded run",
    lenient: true,
    files: async () => Object.entries(await runFiles()).map(([name, bytes]) => ({ name, bytes })),
    open: async (bytes, name) => {
      const archive = await readArchive("broken", new Map(Object.entries({ ...(await runFiles()), [name]: bytes })));
      const run = emptyRun();
      for (const { event, atMs } of timelineOf(archive)) applyEvent(run, event, atMs);
      errorComparisons(run);
    },
  },
  {
    name: "address",
    files: () => [text("?preset=smoke&method=ap2o-h2l&seed=3&view=answers&lesson=first-run&power=low-power&compare=a,b")],
    open: (bytes) => readConfig(new TextDecoder().decode(bytes)),
    lenient: true,
  },
  { name: "checkpoint", sealed: true, files: async () => [await aCheckpoint()], open: (bytes) => readCheckpoint("broken", bytes) },
  { name: "journal", lenient: true, files: async () => [await aJournal()], open: (bytes) => readJournal("broken", bytes, 1) },
];

function readJsonOf(path: string): unknown {
  return JSON.parse(new TextDecoder().decode(readBytes(path)));
}

/** A small run with something in each of its files. */
let files: Promise<Record<string, Uint8Array>> | null = null;
function runFiles(): Promise<Record<string, Uint8Array>> {
  files ??= fakeRunFiles("ap2o-h2l", { exam_n: 4, evaluation_n: 1, quiz_n: 1, steps: 3, quiz_steps: 2 }).then((texts) =>
    Object.fromEntries(Object.entries(texts).map(([name, content]) => [name, text(content)])),
  );
  return files;
}

/** The rows of a problem file, the short ones, each a file of its own. */
function rowsOf(path: string): Uint8Array[] {
  const rows = new TextDecoder().decode(readBytes(path)).trim().split("\n");
  return rows.filter((row) => row.length < 8000).map(text);
}

const isGzip = (bytes: Uint8Array) => bytes[0] === 0x1f && bytes[1] === 0x8b;

const CODE_CONTESTS = JSON.stringify({
  name: "1_A",
  description: "Add.",
  public_tests: { input: ["1 2\n"], output: ["3\n"] },
  private_tests: { input: ["2 2\n"], output: ["4\n"] },
  time_limit: { seconds: 2 },
});

const MARKDOWN = "# Twice\n\nDouble a number.\n\n```python\ndef twice(x):\n    return 2 * x\n```\n\n```python\nassert twice(1) == 2\n```\n";

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

/** Bytes in use, by JavaScript and beside it: what was let go since may be among them. */
function bytesInUse(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

describe.each(KINDS)("$name", ({ files, open, sealed, lenient }) => {
  test(`${COPIES} broken copies: an InputError or a result, soon, in little memory`, { timeout: 60_000 + 20 * COPIES }, async () => {
    const whole = (await files()).map((file) => (file instanceof Uint8Array ? { name: "", bytes: file } : file));
    const results: unknown[] = [];
    for (const { bytes, name } of whole) results.push(await open(bytes, name));
    let refused = 0;
    for (let i = 0; i < COPIES; i++) {
      const { bytes, name } = whole[i % whole.length]!;
      const [started, before] = [performance.now(), bytesInUse()];
      const result = await opened(() => open(mutated(bytes, i), name), i);
      expect(performance.now() - started, `copy ${i} took too long`).toBeLessThan(SLOW_MS);
      expect(bytesInUse() - before, `copy ${i} took too much memory`).toBeLessThan(MOST_BYTES);
      if (result === REFUSED) refused += 1;
      else if (sealed) expect(result, `copy ${i}`).toEqual(results[i % whole.length]);
    }
    if (!lenient) expect(refused).toBeGreaterThan(COPIES / 10);
  });
});

const REFUSED = Symbol("refused");

async function opened(open: () => unknown, copy: number): Promise<unknown> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof InputError) return REFUSED;
    throw new Error(`copy ${copy}: ${error instanceof Error ? error.stack : error}`);
  }
}

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
