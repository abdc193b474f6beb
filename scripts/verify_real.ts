// npm run verify -- real: real models from folders and GGUF files against PyTorch, in every dtype, and a live exam. The data folder has
// the models (models/NAME/ and models/NAME.gguf), PyTorch's numbers (real/) and the problems. Results: docs/results/real_models.md.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { folderFiles } from "../src/cli/folder.ts";
import { openGpu } from "../src/cli/open.ts";
import type { Gpu } from "../src/gpu/gpu.ts";
import { readConfig } from "../src/model/config.ts";
import { generate } from "../src/model/generate.ts";
import { freeModel, loadModel } from "../src/model/model.ts";
import { loadTokenizer } from "../src/model/tokenizer.ts";
import { weightBytes } from "../src/model/weight_plan.ts";
import { weightShapes } from "../src/model/weight_shapes.ts";
import { streamOf } from "../src/random.ts";
import { pairLogps } from "../src/train/logps.ts";
import { bytesText, explainRoom, planMemory } from "../src/train/memory_plan.ts";
import { jsonLines, type LogpsLine, modelFiles } from "../test/golden/golden.ts";
import { madeUpModel } from "../test/made_up_model.ts";
import { repository } from "./install.mjs";
import type { Context, Part, Step } from "./verify_step.ts";

const MODELS = [
  { name: "SmolLM2-135M-Instruct", golden: "smollm2-135m" },
  { name: "Qwen2.5-Coder-0.5B-Instruct", golden: "qwen25coder-0.5b" },
] as const;
type RealModel = (typeof MODELS)[number];

const DTYPES = ["f16", "int8", "int4"] as const;
/** Ten steps keep what the targets of memory keep. */
const TEN_STEPS = { f16: "all" } as const;

/** Runs the command line; its data, what it said of memory and adapter, and its seconds. */
async function errata(args: readonly string[], say: Context["say"]): Promise<{ output: string; said: string[]; seconds: number }> {
  const started = performance.now();
  const child = spawn(process.execPath, [join(repository, "bin", "errata.mjs"), ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const said: string[] = [];
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  child.stderr.on("data", (chunk) => {
    const lines = String(chunk).trim().split("\n");
    said.push(...lines);
    for (const line of lines) say(line);
  });
  const status = await new Promise((resolve) => child.on("close", resolve));
  if (status !== 0) throw new Error(`errata ${args.join(" ")} ended with ${status}: ${said.at(-1)}`);
  return { output, said, seconds: (performance.now() - started) / 1000 };
}

const adapterOf = (said: readonly string[]) => / on (.+)$/.exec(said.find((line) => / parameters on /.test(line)) ?? "")?.[1] ?? "?";
const planOf = (said: readonly string[]) =>
  /GPU memory: (\S+ \S+)/.exec(said.find((line) => line.startsWith("GPU memory:")) ?? "")?.[1] ?? "?";

/** Largest difference of the sums, mean and largest of the tokens. */
function compare(got: readonly LogpsLine[], want: readonly LogpsLine[]) {
  const sums = want.flatMap((w, i) =>
    (["chosen_logp", "rejected_logp", "ref_chosen_logp", "ref_rejected_logp"] as const).map((key) => Math.abs(got[i]![key] - w[key])),
  );
  const tokens = want.flatMap((w, i) =>
    (["chosen_token_logps", "rejected_token_logps"] as const).flatMap((key) => w[key].map((logp, t) => Math.abs(got[i]![key][t]! - logp))),
  );
  return {
    sum: Math.max(...sums),
    mean: tokens.reduce((a, b) => a + b, 0) / tokens.length,
    most: Math.max(...tokens),
    tokens: tokens.length,
  };
}

/**
 * Limits. f16 holds the very numbers that PyTorch computed with: `same` is PyTorch in float64, whose sums its float32 misses by more than
 * 1e-3 on long answers. int8 is another model, near it, int4 is stated: `same` is PyTorch with the same rounded weights.
 */
function missedBy(what: string, dtype: string, { mean }: Distance, same: Distance): string[] {
  const missed: string[] = [];
  if (!(same.sum <= 1e-3)) missed.push(`${what}: sums differ by ${same.sum.toExponential(1)}, more than 1e-3`);
  if (dtype === "int8" && !(mean <= 0.02)) missed.push(`${what}: tokens differ by ${mean.toFixed(4)} on average, more than 0.02`);
  return missed;
}

type Distance = ReturnType<typeof compare>;

function logpsStep({ name, golden }: RealModel, dtype: (typeof DTYPES)[number], from: "folder" | "GGUF"): Step {
  const exact = dtype === "f16" ? "f64" : dtype; // made by tools/real_models/logps.py
  const path = from === "GGUF" ? `models/${name}.gguf` : `models/${name}`;
  return {
    name: `${golden}-${from === "GGUF" ? "gguf-" : ""}${dtype}`,
    title: `${name}, ${from}, ${dtype}: log-probabilities`,
    needs: [path, `real/${golden}_logps.jsonl`, `real/${golden}_logps_${exact}.jsonl`],
    run: async ({ data, say }) => {
      const pairs = data(`real/${golden}_pairs.jsonl`);
      const flags = ["--model", data(path), "--adapter", data(`real/${golden}_adapter`), "--pairs", pairs, "--dtype", dtype];
      const { output, said, seconds } = await errata(["logps", ...flags], say);
      const got = jsonLines<LogpsLine>(output);
      const [want, wantExact] = ["", `_${exact}`].map((suffix) =>
        jsonLines<LogpsLine>(readFileSync(data(`real/${golden}_logps${suffix}.jsonl`), "utf8")),
      );
      const found = compare(got, want!);
      const same = compare(got, wantExact!);
      const row = (against: string, { sum, mean, most }: Distance) =>
        `| ${against} | ${sum.toExponential(1)} | ${mean.toExponential(1)} | ${most.toExponential(1)} |`;
      const rows =
        dtype === "f16"
          ? [
              row("Errata, PyTorch in float64", same),
              row("Errata, PyTorch in float32", found),
              row("PyTorch in float32, PyTorch in float64", compare(want!, wantExact!)),
            ]
          : [row("Errata, PyTorch with the same rounded weights", same), row("Errata, PyTorch with the f16 weights", found)];
      return {
        markdown: `| distance between | sums, largest difference | tokens, mean difference | largest |
|---|---|---|---|
${rows.join("\n")}

${got.length} pairs, ${found.tokens} tokens; planned ${planOf(said)}; ${seconds.toFixed(0)} s with loading, on ${adapterOf(said)}.`,
        missed: missedBy(`${name} ${from} ${dtype}`, dtype, found, same),
      };
    },
  };
}

function tenSteps({ name, golden }: RealModel): Step {
  return {
    name: `${golden}-ten-steps`,
    title: `${name}, f16: ten DPO steps on one pair`,
    needs: [`models/${name}`, `real/${golden}_ten_steps.json`],
    run: async ({ data, say }) => {
      const out = mkdtempSync(join(tmpdir(), "errata-real-"));
      const pairs = data(`real/${golden}_pairs.jsonl`);
      const flags = `--dtype f16 --checkpoint ${TEN_STEPS.f16} --limit 1 --steps 10 --batch 1 --learning-rate 1e-4 --lr-scheduler-type constant --warmup-steps 0 --weight-decay 0 --max-grad-norm 0`;
      const paths = ["--model", data(`models/${name}`), "--adapter", data(`real/${golden}_adapter`), "--pairs", pairs, "--out", out];
      const { said, seconds } = await errata(["train", ...paths, ...flags.split(" ")], say);
      const got = jsonLines<{ loss: number; grad_norm: number }>(readFileSync(join(out, "metrics.jsonl"), "utf8"));
      rmSync(out, { recursive: true });
      const { steps }: { steps: { loss: number; grad_norm: number }[] } = JSON.parse(
        readFileSync(data(`real/${golden}_ten_steps.json`), "utf8"),
      );
      const most = Math.max(...steps.map(({ loss }, i) => Math.abs(got[i]!.loss - loss)));
      const inUse = said.find((line) => line.includes("were in use")) ?? "?";
      const rows = steps.map(({ loss }, i) => `| ${i + 1} | ${loss.toFixed(6)} | ${got[i]!.loss.toFixed(6)} |`);
      return {
        markdown: `Largest difference of the loss: ${most.toExponential(1)}; ${seconds.toFixed(0)} s with loading, on ${adapterOf(said)}. Planned: ${planOf(said)}; ${inUse.replace("GPU memory: ", "")}.\n\n| step | PyTorch | Errata |\n|---|---|---|\n${rows.join("\n")}`,
        missed: most <= 1e-3 ? [] : [`${name}: the loss differs by ${most.toExponential(1)}, more than 1e-3`],
      };
    },
  };
}

/**
 * What an exam is sat on: problems of MBPP that the model sometimes solves and sometimes not, and how its answers are drawn. The published
 * split goes by number: `renumbered` problems take others, so that they are trained, quizzed and evaluated on.
 */
const EXAMS = {
  "qwen25coder-0.5b": {
    renumbered: null,
    ids: "3,4,12,14,17,18,19,20,58,64,65,66,68,94,96,232,418,427,454,457,474,563,726,751,767,797",
    set: "training_problems=4,validation_problems=2,evaluation_problems=4,exam_n=4,exam_temperature=1,evaluation_n=2,quiz_n=1",
  },
  "smollm2-135m": {
    // It passes too rarely elsewhere, and the published split has none of them in training.
    renumbered: { 12: 601, 18: 602, 64: 603, 71: 604, 77: 605, 93: 606, 95: 511, 99: 512, 227: 11, 418: 12, 457: 13 },
    ids: "601,602,603,604,605,606,511,512,11,12,13",
    set: "training_problems=6,validation_problems=2,evaluation_problems=3,exam_n=12,exam_temperature=0.6,evaluation_n=8,quiz_n=2",
  },
} as const;

const Counts = v.record(v.string(), v.number());
const Sat = v.looseObject({ "pass@1": v.number(), n: v.number(), problems: v.number(), errors: Counts });
const RunJson = v.looseObject({
  exam: Sat,
  before: Sat,
  after: Sat,
  steps: v.number(),
  pairs: v.number(),
  memoryPlan: v.looseObject({ total: v.number() }),
  memoryPeak: v.number(),
  seconds: v.record(v.string(), v.nullable(v.number())),
});

/** The problems of an MBPP file that are given other numbers, under these. */
function renumber(file: string, numbers: Readonly<Record<number, number>>): string {
  const rows = jsonLines<{ task_id: number }>(readFileSync(file, "utf8")).filter(({ task_id }) => task_id in numbers);
  return rows.map((row) => `${JSON.stringify({ ...row, task_id: numbers[row.task_id] })}\n`).join("");
}

/** A reduced live exam that ends on a software adapter, too: exam, correction, quizzes, evaluation before and after. */
function exam({ name, golden }: RealModel): Step {
  const { renumbered, ids, set } = EXAMS[golden];
  return {
    name: `${golden}-exam`,
    title: `${name}, f16: a live exam on MBPP, 2 steps of correction`,
    needs: [`models/${name}`, "mbpp.jsonl"],
    run: async ({ data, say }) => {
      const folder = mkdtempSync(join(tmpdir(), "errata-real-"));
      const out = join(folder, "run");
      const problems = renumbered === null ? data("mbpp.jsonl") : join(folder, "problems.jsonl");
      if (renumbered !== null) writeFileSync(problems, renumber(data("mbpp.jsonl"), renumbered));
      const settings = `${set},steps=2,quiz_steps=2,batch_size=2,max_new_tokens=96,r=8,learning_rate=2e-4`;
      const flags = ["--model", data(`models/${name}`), "--dtype", "f16", "--problems", problems, "--task-ids", ids];
      const { said, seconds } = await errata(
        ["run", ...flags, "--prompt-style", "fence", "--preset", "smoke", "--seed", "1", "--set", settings, "--out", out],
        say,
      );
      const run = v.parse(RunJson, JSON.parse(readFileSync(join(out, "run.json"), "utf8")));
      const tokenizer = await loadTokenizer(await folderFiles(data(`models/${name}`)));
      const written = jsonLines<{ phase: string; completion: string }>(readFileSync(join(out, "samples.jsonl"), "utf8"))
        .filter(({ phase }) => phase === "exam")
        .reduce((sum, { completion }) => sum + tokenizer.encode(completion).length, 0);
      rmSync(folder, { recursive: true });
      const rows = (["exam", "before", "after"] as const).map((part) => {
        const { n, problems, errors, "pass@1": pass } = run[part];
        const counts = Object.entries(errors).map(([type, count]) => `${type} ${count}`);
        return `| ${part} | ${problems} x ${n} | ${(100 * pass).toFixed(1)} % | ${counts.join(", ") || "none"} |`;
      });
      return {
        markdown: `| sitting | problems x answers | pass@1 | errors |\n|---|---|---|---|\n${rows.join("\n")}

${run.steps} steps, ${run.pairs} pairs; ${seconds.toFixed(0)} s in all (exam ${run.seconds.exam?.toFixed(0)}, correction ${run.seconds.correction?.toFixed(0)}); the exam's answers were written at ${(written / (run.seconds.exam ?? 1)).toFixed(1)} tokens a second; planned ${bytesText(run.memoryPlan.total)}, peak ${bytesText(run.memoryPeak)}; on ${adapterOf(said)}. So few answers show that the loop runs, not what it is worth.`,
        missed:
          run.memoryPeak <= run.memoryPlan.total ? [] : [`${name}: ${run.memoryPeak} bytes were used, ${run.memoryPlan.total} planned`],
      };
    },
  };
}

// -- shapes ----------------------------------------------------------------------------------------------------------------------

/** Published configs whose shapes differ: head size, tied or not, norms of heads, kinds of rotary scaling. */
const GOLDEN = join(repository, "test", "golden", "data");
const CONFIGS = ["Qwen2.5-Coder-1.5B", "Qwen3-0.6B", "Llama-3.2-1B", "deepseek-coder-1.3b", "CodeLlama-7b"];

/** Full width and vocabulary, two layers of made-up weights, in three dtypes; gives their log-probabilities of a pair. */
async function runShape(name: string, gpu: Gpu): Promise<string[]> {
  const json = { ...JSON.parse(readFileSync(join(GOLDEN, "configs", `${name}.json`), "utf8")), num_hidden_layers: 2, eos_token_id: 316 };
  const config = readConfig(json, name);
  const files = madeUpModel(json, weightShapes(config), modelFiles("tiny-qwen2"));
  const pairs = [{ promptIds: [1, config.vocabulary - 1, 5], chosenIds: [7, config.vocabulary - 2], rejectedIds: [316] }];
  const logps = new Map<string, number[]>();
  for (const dtype of ["f16", "int8", "int4"] as const) {
    const model = await loadModel(gpu, files, { dtype });
    if (gpu.counters.bytes !== weightBytes(config, dtype)) throw new Error(`${name} ${dtype}: the plan is not what was allocated`);
    const [pair] = await pairLogps(gpu, model, null, pairs);
    logps.set(dtype, [...pair!.chosen, ...pair!.rejected]);
    freeModel(gpu, model);
  }
  return [...logps].map(([dtype, values]) => `| ${name} | ${dtype} | ${values.map((v) => v.toFixed(3)).join(", ")} |`);
}

const shapes: Step = {
  name: "shapes",
  title: "Published shapes at full width, two layers of made-up weights",
  needs: [],
  run: async ({ say }) => {
    const gpu = (await openGpu()).gpu;
    const rows: string[] = [];
    for (const name of CONFIGS) {
      rows.push(...(await runShape(name, gpu)));
      say(name);
    }
    const bad = rows.filter((row) => row.includes("NaN") || row.includes("Infinity"));
    return { markdown: `| shape | dtype | log-probabilities |\n|---|---|---|\n${rows.join("\n")}`, missed: bad };
  },
};

/** Most that loading may take beside the weights that stay. */
const LOADING_BYTES = 300e6;

/** What loading takes of the processor's memory: measured in a process of its own, on a device that allocates nothing. */
const loadingMemory: Step = {
  name: "loading-memory",
  title: "Memory beside the weights while loading",
  needs: MODELS.flatMap(({ name }) => [`models/${name}`, `models/${name}.gguf`]),
  run: async ({ data }) => {
    const cases = MODELS.flatMap(({ name }) => [
      [`models/${name}`, "f16"] as const,
      [`models/${name}`, "int4"] as const,
      [`models/${name}.gguf`, "int8"] as const,
    ]);
    const rows = cases.map(([path, dtype]) => {
      const args = ["--expose-gc", join(repository, "scripts", "loading_memory.mjs"), data(path), dtype];
      const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
      if (status !== 0) throw new Error(`${path}: ${stderr.slice(-300)}`);
      const { most, left, weights }: { most: number; left: number; weights: number } = JSON.parse(stdout);
      return { what: `${path.replace("models/", "")}, ${dtype}`, most, left, weights };
    });
    const lines = rows.map(
      ({ what, most, left, weights }) =>
        `| ${what} | ${bytesText(weights)} | ${(most / 1e6).toFixed(0)} MB | ${(left / 1e6).toFixed(0)} MB |`,
    );
    return {
      markdown: `Growth of a Node process that loads onto a device which allocates nothing: tokenizer, slices of the file, quantisation. Up to 64 MB of
writes that the driver has not taken yet come on top.\n\n| model | weights on the GPU | most | left afterwards |\n|---|---|---|---|\n${lines.join("\n")}`,
      missed: rows.filter(({ most }) => most > LOADING_BYTES).map(({ what }) => `${what}: more than 300 MB beside the weights`),
    };
  },
};

/** A model of 1.5 billion parameters: too large here in float16, not in int4. */
const large: Step = {
  name: "1.5b-int4",
  title: "Qwen2.5-Coder-1.5B's whole shape, made-up weights, int4: planned, loaded, generating",
  needs: [],
  run: async () => {
    const gpu = (await openGpu()).gpu;
    const json = JSON.parse(readFileSync(join(GOLDEN, "configs", "Qwen2.5-Coder-1.5B.json"), "utf8"));
    const config = readConfig(json, "Qwen2.5-Coder-1.5B");
    const needs = { lora: null, training: null, sampling: { batch: 2, longestPrompt: 16, maxNewTokens: 8 } };
    const plan = planMemory(config, { dtype: "int4", ...needs });
    const refused = explainRoom("Qwen2.5-Coder-1.5B", config, { dtype: "f16", ...needs }, { budget: 2e9, tensor: Infinity });
    const started = performance.now();
    const model = await loadModel(gpu, madeUpModel(json, weightShapes(config), modelFiles("tiny-qwen2")), { dtype: "int4" });
    const loaded = performance.now();
    const requests = [0, 1].map((i) => ({ promptIds: [1, 2, 3, 4, 5, 6, 7, 8], stream: streamOf(`large/${i}`) }));
    const options = { temperature: 1, maxNewTokens: 8, seed: 1, stop: [], batch: 2 };
    const lines: string[] = [];
    for await (const { index, ids } of generate(gpu, model, null, requests, options)) lines[index] = ids.join(" ");
    const seconds = (performance.now() - loaded) / 1000;
    const peak = gpu.counters.peakBytes;
    freeModel(gpu, model);
    return {
      markdown: `Planned ${bytesText(plan.total)}, peak ${bytesText(peak)}; loaded in ${((loaded - started) / 1000).toFixed(0)} s, ${lines.length} samples of 8 tokens in ${seconds.toFixed(0)} s.

Under a budget of 2 GB in f16: "${refused}"`,
      missed: [
        ...(peak <= plan.total ? [] : [`1.5B in int4: ${peak} bytes were used, ${plan.total} planned`]),
        ...(refused === null ? ["1.5B in f16 was not refused under 2 GB"] : []),
        ...(lines.length === 2 ? [] : ["1.5B in int4 wrote nothing"]),
      ],
    };
  },
};

export const part: Part = {
  title: "Real models",
  file: "real_models.md",
  about:
    "SmolLM2-135M-Instruct and Qwen2.5-Coder-0.5B-Instruct against PyTorch, by `npm run verify -- real`. The sums are those of an answer's\nlog-probabilities, with and without an adapter. PyTorch in float32 is 0.00001 off at each token, always to the same side, as it adds up 50,000 or 150,000\nexponentials.\nUnder int8 the projections and the embedding are int8; under int4 the projections are int4 (79 and 72 per cent of the parameters of the two\nmodels) and the embedding is int8 (21 and 28); norms and biases, less than 0.03 per cent, stay f32. Seconds are those of two cores with other work,\nsome steps halted for a while.",
  steps: [
    ...MODELS.flatMap((model) => [
      ...DTYPES.map((dtype) => logpsStep(model, dtype, "folder")),
      logpsStep(model, "f16", "GGUF"),
      tenSteps(model),
    ]),
    ...MODELS.map(exam),
    loadingMemory,
    shapes,
    large,
  ],
};
