// errata bench: how fast the adapter is, and how near to its own best the engine comes.

import { benchGemm, gemmShapes } from "../bench/gemm.ts";
import { benchAttention, benchHead, benchSample, benchStep } from "../bench/passes.ts";
import { QWEN_05B, randomModel } from "../bench/random_model.ts";
import { measureRoofline, type Roofline } from "../bench/roofline.ts";
import type { BenchRow } from "../bench/rows.ts";
import { InputError } from "../input_error.ts";
import { type ModelConfig, readConfig } from "../model/config.ts";
import { readJson } from "../model/files.ts";
import { freeModel } from "../model/model.ts";
import { WEIGHT_DTYPES } from "../model/weight_plan.ts";
import { benchJudge } from "./bench_judge.ts";
import type { Command } from "./command.ts";
import { choiceFlag, listFlag, numberFlag, readNumber, switchFlag } from "./flags.ts";
import { folderFiles } from "./folder.ts";
import { openJaxPeer } from "./jax_peer.ts";
import { openGpu } from "./open.ts";
import { DEMO_MODEL } from "./paths.ts";

const SUBJECTS = ["gemm", "attention", "head", "step", "sample", "judge"] as const;

const count = (text: string, flag: string) => readNumber(text, flag, { integer: true, min: 1 });

const flags = {
  json: switchFlag("prints JSON"),
  "model-shape": choiceFlag(
    ["qwen2.5-0.5b", "demo"],
    "the shapes of Qwen2.5-Coder-0.5B or of the embedded model; weights are random",
    "qwen2.5-0.5b",
  ),
  layers: numberFlag("N", "layers of the model (all)", null, { integer: true, min: 1 }),
  dtype: choiceFlag(WEIGHT_DTYPES, "how weights are kept", "f32"),
  tokens: listFlag("A,B", "gemm: rows of the products", [128, 512], count),
  tiles: switchFlag("gemm: measures every tile, not only the chosen one"),
  prompt: numberFlag("N", "tokens of a prompt", 256, { integer: true, min: 1 }),
  answer: numberFlag("N", "tokens of an answer", 128, { integer: true, min: 2 }),
  pairs: numberFlag("N", "step: pairs of a batch", 1, { integer: true, min: 1 }),
  rows: numberFlag("N", "head: predicting rows", 64, { integer: true, min: 1 }),
  batches: listFlag("A,B", "sample: answers at once", [1, 8, 32, 64], count),
  peer: choiceFlag(["jax-js"], "gemm: measures the same products there, too", null),
} as const;

export const benchCommand: Command<typeof flags> & { readonly subjects: typeof SUBJECTS } = {
  name: "bench",
  summary: "how fast the GPU is, and how near to its best the engine comes",
  description: `errata bench ${SUBJECTS.join("|")}

Measures products, attention, the head, a training step, sampling or judging. Beside the figures stands what the adapter can do at best: multiply-adds
from registers alone, the fastest product, the rate of a copy, the cost of a dispatch. Operations are counted from the shapes.

  errata bench gemm --tokens 128,512 --peer jax-js
  errata bench step --model-shape demo --pairs 8 --json`,
  flags,
  subjects: SUBJECTS,
  run: async (values, { print, progress }, subject) => {
    if (subject === "judge") return report(print, values.json, await benchJudge(progress), null);
    const { gpu, adapter } = await openGpu();
    const config = await shapeOf(values["model-shape"], values.layers);
    const say = (what: string) => progress.show(what);
    say("the adapter's own rates");
    const roofline = await measureRoofline(gpu);
    const peer = values.peer === null ? null : await openJaxPeer();
    if (subject === "gemm") {
      const rows = await benchGemm(gpu, gemmShapes(config, values.tokens), { peer, tiles: values.tiles, say });
      return report(print, values.json, rows, { adapter, roofline });
    }
    if (peer) throw new InputError("--peer jax-js is for bench gemm.");
    say("the fastest product");
    const best = await benchGemm(gpu, gemmShapes(config, [gpu.software ? 128 : 512]).slice(0, 2), { peer: null, tiles: false, say });
    roofline.gemm_gflops = Math.max(...best.map(({ gflops }) => gflops));
    const model = randomModel(gpu, values["model-shape"], config, values.dtype);
    const { prompt, answer, pairs } = values;
    const measure: Record<string, () => Promise<BenchRow[]>> = {
      attention: () => benchAttention(gpu, model, { prompt, answer, pairs }),
      head: () => benchHead(gpu, model, values.rows),
      step: () => benchStep(gpu, model, { prompt, answer, pairs }, say),
      sample: () => benchSample(gpu, model, { prompt, newTokens: answer, batches: values.batches }, say),
    };
    const rows = await measure[subject]!();
    freeModel(gpu, model);
    report(print, values.json, rows, { adapter, roofline });
  },
};

async function shapeOf(shape: string, layers: number | null): Promise<ModelConfig> {
  const config = shape === "demo" ? readConfig(await readJson(await folderFiles(DEMO_MODEL), "config.json"), DEMO_MODEL) : QWEN_05B;
  return { ...config, layers: layers ?? config.layers };
}

interface Machine {
  readonly adapter: { readonly description: string; readonly vendor: string; readonly architecture: string };
  readonly roofline: Roofline;
}

function report(print: (line: string) => void, json: boolean, rows: readonly BenchRow[], machine: Machine | null): void {
  const best = Math.max(machine?.roofline.gemm_gflops ?? 0, ...rows.filter(({ details }) => "tile" in details).map(({ gflops }) => gflops));
  if (machine && best > 0) {
    machine.roofline.gemm_gflops = best;
    for (const row of rows) row.share_of_gemm = row.gflops / best;
  }
  const lines = json ? [JSON.stringify({ ...machine, rows })] : table(rows, machine);
  for (const line of lines) print(line);
}

function table(rows: readonly BenchRow[], machine: Machine | null): string[] {
  const lines: string[] = [];
  if (machine) {
    const { vendor, architecture, description } = machine.adapter;
    const { register_gflops, gemm_gflops, copy_gbps, dispatch_us } = machine.roofline;
    lines.push(
      `${description || `${vendor} ${architecture}`}: multiply-adds ${register_gflops.toFixed(1)} GFLOP/s, fastest product ${gemm_gflops.toFixed(1)} GFLOP/s, copy ${copy_gbps.toFixed(1)} GB/s, dispatch ${dispatch_us.toFixed(1)} us`,
      "",
    );
  }
  const head = ["what", "shape", "GFLOP", "s", "GFLOP/s", "of product", "peer", "ratio", "more"];
  const body = rows.map((row) => [
    row.name,
    row.shape,
    row.gflop.toFixed(2),
    row.seconds.toPrecision(3),
    row.gflops.toFixed(2),
    row.share_of_gemm === null ? "" : `${Math.round(100 * row.share_of_gemm)} %`,
    row.peer_gflops === null ? "" : `${row.peer} ${row.peer_gflops.toFixed(2)}`,
    row.ratio === null ? "" : row.ratio.toFixed(2),
    Object.entries(row.details)
      .map(([name, value]) => `${name} ${value}`)
      .join(", "),
  ]);
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [...lines, line(head), line(head.map(() => "---")), ...body.map(line)];
}
