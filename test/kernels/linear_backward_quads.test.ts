import { expect } from "vitest";
import type { Gpu } from "../../src/gpu/gpu.ts";
import { candidateTiles } from "../../src/gpu/tiles.ts";
import { linearBackward } from "../../src/kernels/linear_backward.ts";
import { linearBackwardQuads } from "../../src/kernels/linear_backward_quads.ts";
import { expectClose, gpuTest, randomNormal } from "../gpu.ts";
import { packQuantised } from "../pack_quantised.ts";
import { linearBackwardQuads as reference } from "../reference/linear_backward_quads.ts";

/** Where an adapter cannot run the kernel, nothing may choose it. */
function withoutSubgroups(gpu: Gpu): boolean {
  if (!gpu.subgroups) expect(candidateTiles(gpu).filter((tile) => tile.includes("quads"))).toEqual([]);
  return !gpu.subgroups;
}

for (const [rows, K, N] of [
  [1, 4, 1],
  [5, 68, 35],
  [11, 20, 8],
  [130, 132, 97],
  [4096, 20, 8],
] as const) {
  gpuTest(`linear_backward_quads [${rows}, ${N}] x [${N}, ${K}]: the bits of linear_backward in all tiles`, async (bench) => {
    const { gpu, input, output } = bench;
    if (withoutSubgroups(gpu)) return;
    const values = { dy: randomNormal("dy", rows * N), weight: randomNormal("weight", N * K) };
    const tensors = { dy: input("dy", [rows, N], values.dy), weight: input("weight", [N, K], values.weight) };
    const start = randomNormal("start", rows * K);
    const plain = output("plain", [rows, K], "f32", start);
    linearBackward(gpu, tensors, { dx: plain }, { scale: 2, accumulate: true });
    const want = await gpu.read(plain);
    const product = reference(values.dy, values.weight, K, N, 2);
    const tiles = [{ tall: false }, { tall: true }, ...(rows === 11 ? [{ tall: true, steps: !gpu.skipsBranches }] : [])];
    for (const tile of tiles) {
      const dx = output("dx", [rows, K], "f32", start);
      linearBackwardQuads(gpu, tensors, { dx }, { ...tile, scale: 2, accumulate: true });
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

gpuTest("linear_backward_quads reads int8 weights and the columns of a shard", async ({ gpu, input, output }) => {
  if (withoutSubgroups(gpu)) return;
  const [rows, K, N, first, all] = [3, 64, 5, 2, 9];
  const dy = randomNormal("dy", rows * all);
  const { words, scales, dequantised } = packQuantised(randomNormal("weight", N * K), 8);
  const dx = output("dx", [rows, K]);
  const weight = { ...input("weight", [words.length], words), shape: [N, K], dtype: "int8" as const };
  const tensors = { dy: input("dy", [rows, all], dy), weight, scales: input("scales", [N, K / 32], scales) };
  linearBackwardQuads(gpu, tensors, { dx }, { tall: true, shard: { first, rows: all } });
  const own = dy.filter((_, i) => i % all >= first && i % all < first + N);
  expectClose("dx", await gpu.read(dx), reference(own, dequantised, K, N));
});
