import { expect } from "vitest";
import { linearSplit } from "../../src/kernels/linear_split.ts";
import { expectClose, gpuTest, randomNormal } from "../gpu.ts";
import { packF16 } from "../pack_f16.ts";
import { packQuantised } from "../pack_quantised.ts";
import { linearSplit as reference } from "../reference/linear_split.ts";

for (const [rows, K, N] of [
  [1, 4, 2],
  [11, 300, 34],
] as const) {
  gpuTest(`linear_split [${rows}, ${K}] x [${N}, ${K}]: with bias and residual, of a norm, gated`, async ({ gpu, input, output }) => {
    const values = { x: randomNormal("x", rows * K), weight: randomNormal("weight", N * K) };
    const tensors = { x: input("x", [rows, K], values.x), weight: input("weight", [N, K], values.weight) };
    const [bias, residual] = [randomNormal("bias", N), randomNormal("residual", rows * N)];
    const y = output("y", [rows, N]);
    linearSplit(gpu, { ...tensors, bias: input("bias", [N], bias), residual: input("residual", [rows, N], residual) }, { y });
    const product = reference(values.x, values.weight, bias, K, N);
    expectClose(
      "y",
      await gpu.read(y),
      product.map((v, i) => v + residual[i]!),
    );

    const weight = randomNormal("norm", K);
    const eps = 1e-6;
    const normed = output("normed", [rows, N]);
    const norm = { weight: input("norm", [K], weight), eps };
    linearSplit(gpu, tensors, { y: normed }, { norm });
    expectClose("normed", await gpu.read(normed), reference(values.x, values.weight, null, K, N, { norm: { weight, eps } }));

    const gated = output("gated", [rows, N / 2]);
    linearSplit(gpu, tensors, { y: gated }, { norm, gated: true });
    expectClose("gated", await gpu.read(gated), reference(values.x, values.weight, null, K, N, { norm: { weight, eps }, gated: true }));
  });
}

gpuTest("linear_split reads packed f16 weights, and int8 and int4 ones into the columns of a shard", async ({ gpu, input, output }) => {
  const [rows, K, N, first, all] = [5, 64, 9, 3, 14];
  const x = randomNormal("x", rows * K);
  const half = packF16(randomNormal("weight", N * K));
  const y = output("y", [rows, N]);
  const f16 = { ...input("weight", [half.words.length], half.words), shape: [N, K], dtype: "f16" as const };
  linearSplit(gpu, { x: input("x", [rows, K], x), weight: f16 }, { y });
  expectClose("f16", await gpu.read(y), reference(x, half.rounded, null, K, N));
  for (const bits of [8, 4] as const) {
    const { words, scales, dequantised } = packQuantised(randomNormal("weight", N * K), bits);
    const wide = output("y", [rows, all], "f32", new Float32Array(rows * all).fill(7));
    const weight = { ...input("weight", [words.length], words), shape: [N, K], dtype: `int${bits}` as const };
    const tensors = { x: input("x", [rows, K], x), weight, scales: input("scales", [N, K / 32], scales) };
    linearSplit(gpu, tensors, { y: wide }, { shard: { first, rows: all } });
    const product = reference(x, dequantised, null, K, N);
    const want = Float64Array.from({ length: rows * all }, (_, i) => {
      const column = (i % all) - first;
      return column >= 0 && column < N ? product[Math.floor(i / all) * N + column]! : 7;
    });
    expectClose(`int${bits}`, await gpu.read(wide), want);
  }
});

gpuTest("a row of linear_split does not depend on the rows beside it", async ({ gpu, input, output }) => {
  const [K, N] = [300, 20];
  const x = randomNormal("x", 13 * K);
  const weight = input("weight", [N, K], randomNormal("weight", N * K));
  const norm = { weight: input("norm", [K], randomNormal("norm", K)), eps: 1e-6 };
  const all = output("all", [13, N]);
  linearSplit(gpu, { x: input("x", [13, K], x), weight }, { y: all }, { norm });
  const alone = output("alone", [1, N]);
  linearSplit(gpu, { x: input("row", [1, K], x.slice(6 * K, 7 * K)), weight }, { y: alone }, { norm });
  expect(await gpu.read(alone)).toEqual((await gpu.read(all)).slice(6 * N, 7 * N));
});
