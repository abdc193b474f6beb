import { expect, test } from "vitest";
import { linear } from "../../src/kernels/linear.ts";
import { expectClose, gpuTest, randomNormal } from "../gpu.ts";
import { packF16 } from "../pack_f16.ts";
import { packQuantised } from "../pack_quantised.ts";
import { linear as reference } from "../reference/linear.ts";

for (const [rows, K, N] of [
  [1, 4, 1],
  [3, 20, 7],
  [5, 72, 331],
  [33, 128, 65],
  [64, 896, 128],
  [4096, 8, 20],
] as const) {
  gpuTest(`linear [${rows}, ${K}] x [${N}, ${K}]`, async ({ gpu, input, output }) => {
    const x = randomNormal("x", rows * K);
    const weight = randomNormal("weight", N * K);
    const bias = randomNormal("bias", N);
    const tensors = { x: input("x", [rows, K], x), weight: input("weight", [N, K], weight) };

    const plain = output("y", [rows, N]);
    linear(gpu, tensors, { y: plain });
    expectClose("y", await gpu.read(plain), reference(x, weight, null, K, N));

    const biased = output("y", [rows, N]);
    linear(gpu, { ...tensors, bias: input("bias", [N], bias) }, { y: biased });
    expectClose("y with bias", await gpu.read(biased), reference(x, weight, bias, K, N));

    const residual = randomNormal("residual", rows * N);
    const beside = output("y", [rows, N]);
    linear(gpu, { ...tensors, residual: input("residual", [rows, N], residual) }, { y: beside });
    expectClose(
      "y with a residual",
      await gpu.read(beside),
      reference(x, weight, null, K, N).map((v, i) => v + residual[i]!),
    );

    const start = randomNormal("start", rows * N);
    const added = output("y", [rows, N], "f32", start);
    linear(gpu, tensors, { y: added }, { scale: 0.5, accumulate: true });
    const product = reference(x, weight, null, K, N, 0.5);
    expectClose(
      "y added",
      await gpu.read(added),
      product.map((v, i) => v + start[i]!),
    );
  });
}

gpuTest("linear reads packed f16 weights", async ({ gpu, input, output }) => {
  const [rows, K, N] = [5, 24, 9];
  const x = randomNormal("x", rows * K);
  const { words, rounded } = packF16(randomNormal("weight", N * K));
  const y = output("y", [rows, N]);
  const weight = { ...input("weight", [words.length], words), shape: [N, K], dtype: "f16" as const };
  linear(gpu, { x: input("x", [rows, K], x), weight }, { y });
  expectClose("y", await gpu.read(y), reference(x, rounded, null, K, N));
});

for (const bits of [8, 4] as const) {
  for (const [rows, K, N] of [
    [1, 32, 1],
    [5, 96, 331],
    [33, 896, 65],
  ] as const) {
    gpuTest(`linear [${rows}, ${K}] with int${bits} weights [${N}, ${K}]`, async ({ gpu, input, output }) => {
      const x = randomNormal("x", rows * K);
      const { words, scales, dequantised } = packQuantised(randomNormal("weight", N * K), bits);
      const y = output("y", [rows, N]);
      const weight = { ...input("weight", [words.length], words), shape: [N, K], dtype: `int${bits}` as const };
      linear(gpu, { x: input("x", [rows, K], x), weight, scales: input("scales", [N, K / 32], scales) }, { y });
      expectClose("y", await gpu.read(y), reference(x, dequantised, null, K, N));
    });
  }
}

gpuTest("linear writes the columns of a shard, and those alone", async ({ gpu, input, output }) => {
  const [rows, K, N, first, all] = [6, 20, 7, 5, 13];
  const x = randomNormal("x", rows * K);
  const weight = randomNormal("weight", N * K);
  const bias = randomNormal("bias", all);
  const start = randomNormal("start", rows * all);
  const y = output("y", [rows, all], "f32", start);
  const tensors = { x: input("x", [rows, K], x), weight: input("weight", [N, K], weight), bias: input("bias", [all], bias) };
  linear(gpu, tensors, { y }, { shard: { first, rows: all } });
  const product = reference(x, weight, bias.subarray(first, first + N), K, N);
  const want = start.map((v, i) => {
    const column = (i % all) - first;
    return column >= 0 && column < N ? product[Math.floor(i / all) * N + column]! : v;
  });
  expectClose("y", await gpu.read(y), want);
});

gpuTest("linear refuses scales that do not fit the weight's format", async ({ gpu, input, output }) => {
  const x = input("x", [1, 32], new Float32Array(32));
  const y = output("y", [1, 1]);
  const scales = input("scales", [1, 1], new Float32Array(1));
  const plain = input("weight", [1, 32], new Float32Array(32));
  const int8 = { ...plain, dtype: "int8" as const };
  expect(() => linear(gpu, { x, weight: plain, scales }, { y })).toThrow("weight is f32 and has scales, expected none");
  expect(() => linear(gpu, { x, weight: int8 }, { y })).toThrow("weight is int8, expected scales [1, 1]");
  const narrow = { ...int8, shape: [1, 16] };
  const wide = { ...x, shape: [1, 16] };
  expect(() => linear(gpu, { x: wide, weight: narrow, scales }, { y })).toThrow("has 16 columns, expected a multiple of 32");
});

gpuTest("a row of linear does not depend on the rows beside it", async ({ gpu, input, output }) => {
  const [K, N] = [128, 96];
  const x = randomNormal("x", 13 * K);
  const weight = input("weight", [N, K], randomNormal("weight", N * K));
  const all = output("all", [13, N]);
  linear(gpu, { x: input("x", [13, K], x), weight }, { y: all });
  const alone = output("alone", [1, N]);
  linear(gpu, { x: input("row", [1, K], x.slice(6 * K, 7 * K)), weight }, { y: alone });
  expect(await gpu.read(alone)).toEqual((await gpu.read(all)).slice(6 * N, 7 * N));
});

gpuTest("linear gives the same bits in every tile", async ({ gpu, input, output }) => {
  const [rows, K, N] = [21, 72, 45];
  const tensors = { x: input("x", [rows, K], randomNormal("x", rows * K)), weight: input("weight", [N, K], randomNormal("weight", N * K)) };
  const small = output("y", [rows, N]);
  linear(gpu, tensors, { y: small });
  const want = await gpu.read(small);
  for (const tile of [{ tall: true }, { wide: true }, { tall: true, wide: true }]) {
    const y = output("y", [rows, N]);
    linear(gpu, tensors, { y }, tile);
    expect(await gpu.read(y), JSON.stringify(tile)).toEqual(want);
  }
});

gpuTest("linear names the tensor whose shape is wrong", async ({ gpu, input, output }) => {
  const x = input("x", [2, 8], new Float32Array(16));
  const weight = input("weight", [3, 4], new Float32Array(12));
  expect(() => linear(gpu, { x, weight }, { y: output("y", [2, 3]) })).toThrow("weight has shape [3, 4], expected [3, 8]");
});

test("the reference is the textbook product", () => {
  expect([...reference([1, 2, 3, 4], [1, 0, 0, 1, 1, 1], [0, 0, 10], 2, 3)]).toEqual([1, 2, 13, 3, 4, 17]);
});
