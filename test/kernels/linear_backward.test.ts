import { expect, test } from "vitest";
import { linearBackward } from "../../src/kernels/linear_backward.ts";
import { expectClose, finiteDifferences, gpuTest, randomNormal } from "../gpu.ts";
import { packF16 } from "../pack_f16.ts";
import { linear } from "../reference/linear.ts";
import { linearBackward as reference } from "../reference/linear_backward.ts";

for (const [rows, K, N] of [
  [1, 4, 1],
  [3, 20, 7],
  [5, 72, 331],
  [33, 128, 65],
  [64, 896, 128],
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
