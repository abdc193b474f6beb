import { expect } from "vitest";
import { sumOfSquares } from "../../src/kernels/sum_of_squares.ts";
import { expectClose, gpuTest, randomNormal } from "../gpu.ts";
import { sumOfSquares as reference } from "../reference/sum_of_squares.ts";

const columns = (partials: Float32Array) => [0, 1].map((c) => partials.reduce((sum, v, i) => (i % 2 === c ? sum + v : sum), 0));

for (const [n, groups] of [
  [1, 1],
  [255, 3],
  [70001, 64],
] as const) {
  gpuTest(`sum_of_squares of ${n} entries in ${groups} parts`, async ({ gpu, input, output }) => {
    const x = randomNormal("x", n);
    const partials = output("partials", [groups, 2]);
    sumOfSquares(gpu, { x: input("x", [n], x) }, { partials });
    expectClose("sums", columns(await gpu.read(partials)), reference(x));
  });
}

gpuTest("sum_of_squares counts NaN and Inf and leaves them out", async ({ gpu, input, output }) => {
  const x = randomNormal("x", 1000);
  for (const [i, value] of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].entries()) x[300 * i + 7] = value;
  const partials = output("partials", [4, 2]);
  sumOfSquares(gpu, { x: input("x", [1000], x) }, { partials });
  const [squares, notFinite] = columns(await gpu.read(partials));
  expect(notFinite).toBe(3);
  expectClose("squares", [squares!], [reference(x)[0]]);
});
