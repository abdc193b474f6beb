// docs/results/exact.md: every figure is measured when it is written.
import { openDevice } from "../../src/gpu/device.ts";
import { Gpu } from "../../src/gpu/gpu.ts";
import { freeModel, loadModel, type Model } from "../../src/model/model.ts";
import { pairLogps } from "../../src/train/logps.ts";
import {
  type Distance,
  type GoldenLoss,
  logpsDistance,
  measureForward,
  measureGradients,
  measureLogps,
  measureSteps,
  optimizerRun,
  roundedModelFiles,
  trlRun,
} from "./exact.ts";
import { MODELS, modelFiles, readTokenPairs } from "./golden.ts";

const LOSSES: readonly GoldenLoss[] = ["dpo", "sft", "focal"];
const RUNS = ["linear_wd0", "linear_wd0.01", "cosine_wd0", "constant_wd0.1_unclipped", "awkward_zero_linear_wd0"];

const figure = (value: number) => (value === 0 ? "0" : value.toExponential(1));
const row = (...cells: readonly string[]) => `| ${cells.join(" | ")} |`;
const table = (head: readonly string[], rows: readonly string[]) => [row(...head), row(...head.map(() => "---")), ...rows].join("\n");
const largest = (distances: Iterable<Distance>) => Math.max(...[...distances].map(({ max }) => max));

/** The file's text. `say` is told what was done. */
export async function exactTables(say: (done: string) => void): Promise<string> {
  const { device, adapter } = await openDevice();
  const gpu = new Gpu(device);
  const rows: Record<"forward" | "gradients" | "steps" | "f16", string[]> = { forward: [], gradients: [], steps: [], f16: [] };
  for (const name of MODELS) {
    const model = await loadModel(gpu, modelFiles(name), { dtype: "f32" });
    rows.forward.push(await forwardRow(gpu, model, name));
    rows.gradients.push(await gradientsRow(gpu, model, name));
    for (const run of RUNS) if (optimizerRun(run).name === name) rows.steps.push(await optimizerRow(gpu, model, run));
    if (name === "tiny-qwen2") for (const run of ["ids", "text", "chat"]) rows.steps.push(await trlRow(gpu, model, run));
    freeModel(gpu, model);
    rows.f16.push(await f16Row(gpu, name));
    say(name);
  }
  gpu.destroy();
  return document(adapter.description || adapter.vendor, rows);
}

async function forwardRow(gpu: Gpu, model: Model, name: string): Promise<string> {
  const { logits, hidden } = await measureForward(gpu, model, name);
  const { tokens, sums } = await measureLogps(gpu, model, name, "r8");
  const cells = [logits, tokens, sums].flatMap(({ ours, theirs }) => [figure(ours.max), figure(theirs!.max)]);
  return row(
    name,
    ...cells.slice(0, 2),
    (logits.ours.max / logits.theirs!.max).toFixed(1),
    figure(largest(hidden.values())),
    ...cells.slice(2),
  );
}

async function gradientsRow(gpu: Gpu, model: Model, name: string): Promise<string> {
  const cells: string[] = [];
  for (const loss of LOSSES) {
    const { ours, theirs } = await measureGradients(gpu, model, name, "r8", loss);
    cells.push(figure(ours), figure(theirs));
  }
  return row(name, ...cells);
}

async function optimizerRow(gpu: Gpu, model: Model, run: string): Promise<string> {
  const golden = optimizerRun(run);
  const { metrics, adapter } = await measureSteps(
    gpu,
    model,
    `dpo/${golden.name}/${golden.lora}`,
    readTokenPairs(`dpo/${golden.name}/pairs.jsonl`),
    golden,
  );
  const { theirs } = golden;
  return row(
    `optim/${run}`,
    ...[figure(metrics.get("loss")!.max), figure(theirs.loss_max_abs), figure(metrics.get("grad_norm")!.max)],
    ...[figure(adapter.max), figure(theirs.adapter_max_abs["10"]!), figure(adapter.nmse), figure(theirs.adapter_nmse["10"]!)],
    figure(largest(metrics.values())),
  );
}

async function trlRow(gpu: Gpu, model: Model, run: string): Promise<string> {
  const golden = trlRun(run, model);
  const { metrics, adapter } = await measureSteps(gpu, model, golden.lora, golden.pairs, golden);
  const [loss, norm, all] = [metrics.get("loss")!.max, metrics.get("grad_norm")!.max, largest(metrics.values())];
  return row(`trl/${run}`, figure(loss), "", figure(norm), figure(adapter.max), "", figure(adapter.nmse), "", figure(all));
}

async function f16Row(gpu: Gpu, name: string): Promise<string> {
  const pairs = readTokenPairs(`dpo/${name}/pairs.jsonl`);
  const logps = async (files: ReturnType<typeof modelFiles>, dtype: "f32" | "f16") => {
    const model = await loadModel(gpu, files, { dtype });
    const got = await pairLogps(gpu, model, null, pairs);
    const golden =
      name === "tiny-llama" && dtype === "f16" ? (await measureLogps(gpu, model, name, "r8", "logps_f16")).tokens.ours.max : null;
    freeModel(gpu, model);
    return { got, golden };
  };
  const packed = await logps(modelFiles(name), "f16");
  const rounded = await logps(roundedModelFiles(name), "f32");
  const exact = await logps(modelFiles(name), "f32");
  const golden = packed.golden === null ? "" : figure(packed.golden);
  return row(name, figure(logpsDistance(packed.got, rounded.got).max), golden, figure(logpsDistance(packed.got, exact.got).max));
}

function document(adapter: string, rows: Record<"forward" | "gradients" | "steps" | "f16", string[]>): string {
  const steps = ["run", "loss", "PyTorch's own", "grad_norm", "adapter", "PyTorch's own", "adapter, NMSE", "PyTorch's own", "every metric"];
  return `# Exact: the distance from PyTorch

Made by \`npm run exact\` on ${adapter} from the golden data in test/golden/data (torch 2.13.0, transformers 5.23.0, PEFT 0.21.2, TRL 1.16.0, float32, eager
attention). A figure is the largest absolute distance of Errata from PyTorch's float32, unless it says NMSE (normalised mean square error). "PyTorch's own" is
the distance of PyTorch's float32 from its float64: the error bar of the number that Errata is compared with.

## Forward pass
All positions of four sequences, hidden states of every layer of one; log-probabilities of four pairs with the adapter r8, sums with the adapter and without.
Asserted by test/golden/exact.test.ts: logits within 3 times PyTorch's own error, log-probabilities within 1e-4 per token and 1e-3 per sum.

${table(["model", "logits", "PyTorch's own", "ratio", "hidden states", "log-probability of a token", "PyTorch's own", "sum over an answer", "PyTorch's own"], rows.forward)}

## LoRA gradients
NMSE of the worst tensor, adapter r8, all four pairs in a batch. Asserted for every golden adapter by test/train/gradients.test.ts: 1e-8.

${table(["model", ...LOSSES.flatMap((loss) => [loss, "PyTorch's own"])], rows.gradients)}

## Ten optimiser steps
Of batches of two. \`optim\` against PyTorch's AdamW, \`trl\` against TRL's own DPOTrainer; "every metric" is the largest distance of any metric that the run logs (sums of
log-probabilities are around -100, token counts are equal).

${table(steps, rows.steps)}

## f16 storage
Weights rounded to half precision once, arithmetic in float32. The same rounded weights give the same log-probabilities whether they are held as f16 or as f32, so the
tolerances are those of f32: what half precision costs (last column) is the rounding of the weights, which PyTorch's f16 file has too, and no error of the arithmetic.
PyTorch's own f32-to-f64 error above is the error bar of both. PyTorch has golden f16 log-probabilities of tiny-llama.

${table(["model", "from the rounded weights held as f32", "from PyTorch's f16", "from the unrounded weights"], rows.f16)}
`;
}
