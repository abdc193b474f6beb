import { expect } from "vitest";
import { linear } from "../../src/kernels/linear.ts";
import { linearTiled } from "../../src/kernels/linear_tiled.ts";
import { expectClose, gpuTest, randomNormal } from "../gpu.ts";
import { packQuantised } from "../pack_quantised.ts";
import { linearTiled as reference } from "../reference/linear_tiled.ts";

const TILES = [
  { tileRows: 64, tileColumns: 64 },
  { tileRows: 128, tileColumns: 64 },
  { tileRows: 128, tileColumns: 128 },
];

for (const [rows, K, N] of [
  [1, 4, 1],
  [5, 36, 67],
  [130, 96, 131],
  [4096, 8, 20],
] as const) {
  gpuTest(`linear_tiled [${rows}, ${K}] x [${N}, ${K}]: the bits of linear in every tile`, async ({ gpu, input, output }) => {
    const values = {
      x: randomNormal("x", rows * K),
      weight: randomNormal("weight", N * K),
      bias: randomNormal("bias", N),
      residual: randomNormal("residual", rows * N),
    };
    const tensors = {
      x: input("x", [rows, K], values.x),
      weight: input("weight", [N, K], values.weight),
      bias: input("bias", [N], values.bias),
      residual: input("residual", [rows, N], values.residual),
    };
    const start = randomNormal("start", rows * N);
    const plain = output("plain", [rows, N], "f32", start);
    linear(gpu, tensors, { y: plain }, { scale: 0.5, accumulate: true });
    const want = await gpu.read(plain);
    const product = reference(values.x, values.weight, values.bias, K, N, 0.5);
    for (const tile of TILES) {
      const y = output("y", [rows, N], "f32", start);
      linearTiled(gpu, tensors, { y }, { ...tile, scale: 0.5, accumulate: true });
      const got = await gpu.read(y);
      expectClose(
        "y",
        got,
        product.map((v, i) => v + values.residual[i]! + start[i]!),
      );
      expect(got, JSON.stringify(tile)).toEqual(want);
    }
  });
}

gpuTest("linear_tiled reads int4 weights and writes the columns of a shard", async ({ gpu, input, output }) => {
  const [rows, K, N, first, all] = [3, 64, 5, 2, 9];
  const x = randomNormal("x", rows * K);
  const { words, scales, dequantised } = packQuantised(randomNormal("weight", N * K), 4);
  const y = output("y", [rows, all], "f32", new Float32Array(rows * all).fill(7));
  const weight = { ...input("weight", [words.length], words), shape: [N, K], dtype: "int4" as const };
  const tensors = { x: input("x", [rows, K], x), weight, scales: input("scales", [N, K / 32], scales) };
  linearTiled(gpu, tensors, { y }, { tileRows: 64, tileColumns: 64, shard: { first, rows: all } });
  const product = reference(x, dequantised, null, K, N);
  const want = Float64Array.from({ length: rows * all }, (_, i) => {
    const column = (i % all) - first;
    return column >= 0 && column < N ? product[Math.floor(i / all) * N + column]! : 7;
  });
  expectClose("y", await gpu.read(y), want);
});
