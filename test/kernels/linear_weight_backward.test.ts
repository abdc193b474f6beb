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
] as const) {
  gpuTest(`linear_weight_backward [${rows}, ${N}]ᵀ x [${rows}, ${K}]`, async ({ gpu, input, output }) => {
    const dy = randomNormal("dy", rows * N);
    const x = randomNormal("x", rows * K);
    const start = randomNormal("start", N * K);
    const dweight = output("dweight", [N, K], "f32", start);
    linearWeightBackward(gpu, { dy: input("dy", [rows, N], dy), x: input("x", [rows, K], x) }, { dweight }, 0.5);
    const product = reference(dy, x, K, N, 0.5);
    expectClose(
      "dweight",
      await gpu.read(dweight),
      product.map((v, i) => v + start[i]!),
    );
  });
}

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
