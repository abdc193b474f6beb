import { expect, test } from "vitest";
import { linear } from "../../src/kernels/linear.ts";
import { expectClose, gpuTest, randomNormal } from "../gpu.ts";
import { packF16 } from "../pack_f16.ts";
import { linear as reference } from "../reference/linear.ts";

for (const [rows, K, N] of [
  [1, 4, 1],
  [3, 20, 7],
  [5, 72, 331],
  [33, 128, 65],
  [64, 896, 128],
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

gpuTest("linear names the tensor whose shape is wrong", async ({ gpu, input, output }) => {
  const x = input("x", [2, 8], new Float32Array(16));
  const weight = input("weight", [3, 4], new Float32Array(12));
  expect(() => linear(gpu, { x, weight }, { y: output("y", [2, 3]) })).toThrow("weight has shape [3, 4], expected [3, 8]");
});

test("the reference is the textbook product", () => {
  expect([...reference([1, 2, 3, 4], [1, 0, 0, 1, 1, 1], [0, 0, 10], 2, 3)]).toEqual([1, 2, 13, 3, 4, 17]);
});
