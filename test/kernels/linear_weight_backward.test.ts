import { expect, test } from "vitest";
import { linearWeightBackward } from "../../src/kernels/linear_weight_backward.ts";
import { expectClose, finiteDifferences, gpuTest, randomNormal } from "../gpu.ts";
import { linear } from "../reference/linear.ts";
import { linearWeightBackward as reference } from "../reference/linear_weight_backward.ts";

for (const [rows, K, N] of [
  [1, 4, 1],
  [7, 20, 3],
  [100, 128, 8],
  [65, 8, 331],
  [4096, 8, 5],
] as const) {
  gpuTest(`linear_weight_backward [${rows}, ${N}]ᵀ x [${rows}, ${K}]`, async ({ gpu, input, output }) => {
    const dy = randomNormal("dy", rows * N);
    const x = randomNormal("x", rows * K);
    const start = randomNormal("start", N * K);
    const dweight = output("dweight", [N, K], "f32", start);
    linearWeightBackward(gpu, { dy: input("dy", [rows, N], dy), x: input("x", [rows, K], x) }, { dweight }, { scale: 0.5 });
    const product = reference(dy, x, K, N, 0.5);
    expectClose(
      "dweight",
      await gpu.read(dweight),
      product.map((v, i) => v + start[i]!),
    );
  });
}

gpuTest("linear_weight_backward reads the columns of a shard", async ({ gpu, input, output }) => {
  const [rows, K, N, first, all] = [9, 8, 5, 2, 11];
  const dy = randomNormal("dy", rows * all);
  const x = randomNormal("x", rows * K);
  const dweight = output("dweight", [N, K], "f32", new Float32Array(N * K));
  const tensors = { dy: input("dy", [rows, all], dy), x: input("x", [rows, K], x) };
  linearWeightBackward(gpu, tensors, { dweight }, { shard: { first, rows: all } });
  const own = dy.filter((_, i) => i % all >= first && i % all < first + N);
  expectClose("dweight", await gpu.read(dweight), reference(own, x, K, N));
});

test("the reference agrees with finite differences", () => {
  const [rows, K, N] = [3, 4, 2];
  const x = randomNormal("x", rows * K);
  const weight = Float64Array.from(randomNormal("weight", N * K));
  const dy = randomNormal("dy", rows * N);
  const f = (at: Float64Array) => linear(x, at, null, K, N, 0.7).reduce((sum, v, i) => sum + v * dy[i]!, 0);
  const dweight = reference(dy, x, K, N, 0.7);
  finiteDifferences(weight, f).forEach((d, i) => {
    expect(dweight[i]).toBeCloseTo(d, 8);
  });
});
