// errata bench at a small shape: what it prints, and that its operations are those of the shapes.
import { beforeAll, expect, test } from "vitest";
import type { BenchRow } from "../../src/bench/rows.ts";
import { benchCommand, type Machine, measure, openMachine } from "../../src/cli/bench_command.ts";
import { readFlags } from "../../src/cli/flags.ts";

const progress = { show() {}, say() {}, end() {} };
const DEMO = { C: 128, F: 384, layers: 4, H: 128, KV: 64, V: 640, R: 16 };
const flagsOf = (...args: string[]) => readFlags("bench", benchCommand.flags, ["--model-shape", "demo", ...args]);

let machine: Machine;
let products: BenchRow[];
beforeAll(async () => {
  machine = await openMachine(progress);
  products = await measure(machine, "gemm", flagsOf("--tokens", "128"), progress);
}, 120_000);

const gflop = (row: BenchRow | undefined) => row?.gflop ?? 0;

test("products: a row for each shape and direction, its operations and its share of the fastest", () => {
  const shapes = ["128x128x128", "128x128x384", "128x384x128", "64x128x640"];
  expect(products.map(({ shape }) => shape)).toEqual(shapes.flatMap((shape) => [shape, shape]));
  for (const { shape, gflop: counted, gflops, seconds, share_of_gemm, details } of products) {
    const [rows, K, N] = shape.split("x").map(Number);
    expect(counted).toBeCloseTo((2 * rows! * K! * N!) / 1e9, 12);
    expect(gflops).toBeCloseTo(counted / seconds, 9);
    expect(share_of_gemm).toBeGreaterThan(0);
    expect(share_of_gemm).toBeLessThanOrEqual(1);
    expect(details.tile).toBe(machine.gpu.software && machine.gpu.subgroups ? "16x4 quads" : machine.gpu.software ? "8x8" : "64x64");
  }
  expect(Math.max(...products.map((row) => row.share_of_gemm ?? 0))).toBe(1);
});

test("attention of a layer: four products forward and ten backward for each key that a token sees", async () => {
  const rows = await measure(machine, "attention", flagsOf("--prompt", "8", "--answer", "5"), progress);
  const keys = (8 * 9) / 2 + 2 * (4 * 8 + (4 * 5) / 2);
  expect(rows.map(gflop)).toEqual([(4 * keys * DEMO.H) / 1e9, (10 * keys * DEMO.H) / 1e9]);
});

test("a step: the textbook's operations, at most the fastest product's rate but for the noise, and its kernels' shares", async () => {
  const rows = await measure(machine, "step", flagsOf("--prompt", "32", "--answer", "16", "--pairs", "2", "--profile"), progress);
  const { C, F, layers, H, KV, V, R } = DEMO;
  const T = 2 * (32 + 15 + 15);
  const keys = 2 * ((32 * 33) / 2 + 2 * (15 * 32 + (15 * 16) / 2));
  const widths = [
    [H, C],
    [KV, C],
    [KV, C],
    [C, H],
    [F, C],
    [F, C],
    [C, F],
  ] as const;
  const products = 4 * T * layers * widths.reduce((sum, [N, K]) => sum + N * K, 0);
  const lora = 6 * T * layers * R * widths.reduce((sum, [N, K]) => sum + N + K, 0);
  const first = 2 * T * widths.slice(0, 3).reduce((sum, [N, K]) => sum + N * K + R * K, 0);
  const head = 4 * 2 * 2 * 16 * V * C;
  const step = rows.find(({ name }) => name === "step");
  expect(gflop(step)).toBeCloseTo((products + lora - first + head + 14 * keys * H * layers) / 1e9, 9);
  expect(step?.share_of_gemm).toBeGreaterThan(0);
  expect(step?.share_of_gemm).toBeLessThan(2);
  const kernels = rows.filter(({ name }) => name.startsWith("step: "));
  const shares = kernels.map(({ details }) => Number.parseFloat(String(details.share_of_time)));
  expect(shares.length).toBeGreaterThan(5);
  expect(shares.reduce((sum, share) => sum + share, 0)).toBeLessThanOrEqual(100.6);
  expect(rows.slice(-2).map(({ name }) => name)).toEqual(["pass, shared prompt", "pass, separate sequences"]);
});

test("sampling: tokens a second and dispatches a token of each batch", async () => {
  const rows = await measure(machine, "sample", flagsOf("--prompt", "4", "--answer", "8", "--batches", "1,3"), progress);
  expect(rows.map(({ shape }) => shape)).toEqual(["1 x (4+8)", "3 x (4+8)"]);
  for (const { seconds, shape, details } of rows) {
    expect(Number(details.tokens_per_second)).toBeCloseTo((8 * Number(shape[0])) / seconds, 0);
    expect(Number(details.dispatches_per_token)).toBeGreaterThan(4 * 9);
  }
});

test("what is printed is JSON on request, with the adapter and its best rates; else a table", async () => {
  const printed: string[] = [];
  const console = { print: (line: string) => printed.push(line), progress, interrupted: new AbortController().signal };
  await benchCommand.run(flagsOf("--tokens", "16", "--json"), console, "gemm");
  const { adapter, roofline, rows } = JSON.parse(printed.join("\n"));
  expect(Object.keys(adapter)).toEqual(expect.arrayContaining(["vendor", "architecture", "description"]));
  for (const rate of ["register_gflops", "gemm_gflops", "copy_gbps", "dispatch_us"]) expect(roofline[rate], rate).toBeGreaterThan(0);
  const fields = ["name", "shape", "gflop", "seconds", "gflops", "share_of_gemm", "peer", "peer_gflops", "ratio", "details"];
  for (const row of rows) expect(Object.keys(row)).toEqual(fields);
});
