import { expect } from "vitest";
import { linearBackward } from "../../src/kernels/linear_backward.ts";
import { linearBackwardTiled } from "../../src/kernels/linear_backward_tiled.ts";
import { expectClose, gpuTest, randomNormal } from "../gpu.ts";
import { packQuantised } from "../pack_quantised.ts";
import { linearBackwardTiled as reference } from "../reference/linear_backward_tiled.ts";

const TILES = [
  { tileRows: 64, tileColumns: 64 },
  { tileRows: 128, tileColumns: 64 },
  { tileRows: 128, tileColumns: 128 },
];

for (const [rows, K, N] of [
  [1, 4, 1],
  [5, 68, 35],
  [130, 132, 97],
] as const) {
  gpuTest(`linear_backward_tiled [${rows}, ${N}] x [${N}, ${K}]: the bits of linear_backward in every tile`, async (bench) => {
    const { gpu, input, output } = bench;
    const values = { dy: randomNormal("dy", rows * N), weight: randomNormal("weight", N * K) };
    const tensors = { dy: input("dy", [rows, N], values.dy), weight: input("weight", [N, K], values.weight) };
    const start = randomNormal("start", rows * K);
    const plain = output("plain", [rows, K], "f32", start);
    linearBackward(gpu, tensors, { dx: plain }, { scale: 2, accumulate: true });
    const want = await gpu.read(plain);
    const product = reference(values.dy, values.weight, K, N, 2);
    for (const tile of TILES) {
      const dx = output("dx", [rows, K], "f32", start);
      linearBackwardTiled(gpu, tensors, { dx }, { ...tile, scale: 2, accumulate: true });
      const got = await gpu.read(dx);
      expectClose(
        "dx",
        got,
        product.map((v, i) => v + start[i]!),
      );
      expect(got, JSON.stringify(tile)).toEqual(want);
    }
  });
}

gpuTest("linear_backward_tiled reads int8 weights and the columns of a shard", async ({ gpu, input, output }) => {
  const [rows, K, N, first, all] = [3, 64, 5, 2, 9];
  const dy = randomNormal("dy", rows * all);
  const { words, scales, dequantised } = packQuantised(randomNormal("weight", N * K), 8);
  const dx = output("dx", [rows, K]);
  const weight = { ...input("weight", [words.length], words), shape: [N, K], dtype: "int8" as const };
  const tensors = { dy: input("dy", [rows, all], dy), weight, scales: input("scales", [N, K / 32], scales) };
  linearBackwardTiled(gpu, tensors, { dx }, { tileRows: 64, tileColumns: 64, shard: { first, rows: all } });
  const own = dy.filter((_, i) => i % all >= first && i % all < first + N);
  expectClose("dx", await gpu.read(dx), reference(own, dequantised, K, N));
});
