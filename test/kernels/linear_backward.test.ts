import { expect, test } from "vitest";
import { linearBackward } from "../../src/kernels/linear_backward.ts";
import { expectClose, finiteDifferences, gpuTest, randomNormal } from "../gpu.ts";
import { packF16 } from "../pack_f16.ts";
import { packQuantised } from "../pack_quantised.ts";
import { linear } from "../reference/linear.ts";
import { linearBackward as reference } from "../reference/linear_backward.ts";

for (const [rows, K, N] of [
  [1, 4, 1],
  [3, 20, 7],
  [5, 72, 331],
  [33, 128, 65],
  [64, 896, 128],
  [4096, 8, 20],
] as const) {
  gpuTest(`linear_backward [${rows}, ${N}] x [${N}, ${K}]`, async ({ gpu, input, output }) => {
    const dy = randomNormal("dy", rows * N);
    const weight = randomNormal("weight", N * K);
    const tensors = { dy: input("dy", [rows, N], dy), weight: input("weight", [N, K], weight) };

    const plain = output("dx", [rows, K]);
    linearBackward(gpu, tensors, { dx: plain });
    expectClose("dx", await gpu.read(plain), reference(dy, weight, K, N));

    const start = randomNormal("start", rows * K);
    const added = output("dx", [rows, K], "f32", start);
    linearBackward(gpu, tensors, { dx: added }, { scale: 2, accumulate: true });
    const product = reference(dy, weight, K, N, 2);
    expectClose(
      "dx added",
      await gpu.read(added),
      product.map((v, i) => v + start[i]!),
    );
  });
}

gpuTest("linear_backward reads packed f16 weights", async ({ gpu, input, output }) => {
  const [rows, K, N] = [5, 24, 9];
  const dy = randomNormal("dy", rows * N);
  const { words, rounded } = packF16(randomNormal("weight", N * K));
  const dx = output("dx", [rows, K]);
  const weight = { ...input("weight", [words.length], words), shape: [N, K], dtype: "f16" as const };
  linearBackward(gpu, { dy: input("dy", [rows, N], dy), weight }, { dx });
  expectClose("dx", await gpu.read(dx), reference(dy, rounded, K, N));
});

for (const bits of [8, 4] as const) {
  for (const [rows, K, N] of [
    [1, 32, 1],
    [5, 96, 331],
    [33, 896, 65],
  ] as const) {
    gpuTest(`linear_backward [${rows}, ${N}] with int${bits} weights [${N}, ${K}]`, async ({ gpu, input, output }) => {
      const dy = randomNormal("dy", rows * N);
      const { words, scales, dequantised } = packQuantised(randomNormal("weight", N * K), bits);
      const dx = output("dx", [rows, K]);
      const weight = { ...input("weight", [words.length], words), shape: [N, K], dtype: `int${bits}` as const };
      linearBackward(gpu, { dy: input("dy", [rows, N], dy), weight, scales: input("scales", [N, K / 32], scales) }, { dx });
      expectClose("dx", await gpu.read(dx), reference(dy, dequantised, K, N));
    });
  }
}

gpuTest("linear_backward reads the columns of a shard", async ({ gpu, input, output }) => {
  const [rows, K, N, first, all] = [6, 20, 7, 5, 13];
  const dy = randomNormal("dy", rows * all);
  const weight = randomNormal("weight", N * K);
  const dx = output("dx", [rows, K]);
  const shard = { first, rows: all };
  linearBackward(gpu, { dy: input("dy", [rows, all], dy), weight: input("weight", [N, K], weight) }, { dx }, { shard });
  const own = dy.filter((_, i) => i % all >= first && i % all < first + N);
  expectClose("dx", await gpu.read(dx), reference(own, weight, K, N));
});

gpuTest("linear_backward gives the same bits in every tile", async ({ gpu, input, output }) => {
  const [rows, K, N] = [21, 76, 45];
  const tensors = {
    dy: input("dy", [rows, N], randomNormal("dy", rows * N)),
    weight: input("weight", [N, K], randomNormal("weight", N * K)),
  };
  const small = output("dx", [rows, K]);
  linearBackward(gpu, tensors, { dx: small });
  const want = await gpu.read(small);
  for (const tile of [{ tall: true }, { wide: true }, { tall: true, wide: true }]) {
    const dx = output("dx", [rows, K]);
    linearBackward(gpu, tensors, { dx }, tile);
    expect(await gpu.read(dx), JSON.stringify(tile)).toEqual(want);
  }
});

test("the reference agrees with finite differences", () => {
  const [rows, K, N] = [2, 4, 3];
  const x = Float64Array.from(randomNormal("x", rows * K));
  const weight = randomNormal("weight", N * K);
  const dy = randomNormal("dy", rows * N);
  const f = (at: Float64Array) => linear(at, weight, null, K, N, 0.7).reduce((sum, v, i) => sum + v * dy[i]!, 0);
  const dx = reference(dy, weight, K, N, 0.7);
  finiteDifferences(x, f).forEach((d, i) => {
    expect(dx[i]).toBeCloseTo(d, 8);
  });
});
