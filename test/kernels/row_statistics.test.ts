import { expect } from "vitest";
import { rowStatistics } from "../../src/kernels/row_statistics.ts";
import { expectClose, gpuTest, randomIntegers, randomNormal } from "../gpu.ts";
import { logSoftmax } from "../reference/log_softmax.ts";
import { rowStatistics as reference } from "../reference/row_statistics.ts";

const column = (statistics: ArrayLike<number>, i: number) => Array.from(statistics).filter((_, at) => at % 4 === i);

for (const [M, V, scale] of [
  [1, 1, 1],
  [3, 7, 1],
  [33, 640, 5],
  [3, 15193, 3],
  [4, 331, 500],
] as const) {
  gpuTest(`row_statistics [${M}, ${V}], logits of size ${scale}`, async ({ gpu, input, output }) => {
    const logits = randomNormal("logits", M * V, scale);
    const targets = randomIntegers("targets", M, V);
    for (let m = 0; m < M; m += 2) {
      const row = logits.subarray(m * V, (m + 1) * V);
      targets[m] = row.indexOf(row.reduce((most, logit) => Math.max(most, logit)));
    }
    const lse = Float32Array.from(logSoftmax(logits, targets, V).lse);
    const statistics = output("statistics", [M, 4]);
    rowStatistics(
      gpu,
      { logits: input("logits", [M, V], logits), lse: input("lse", [M], lse), targets: input("targets", [M], targets) },
      { statistics },
    );
    const got = await gpu.read(statistics);
    const want = reference(logits, lse, targets, V);
    expectClose("mean logit", column(got, 0), column(want, 0));
    expectClose("entropy", column(got, 1), column(want, 1));
    expect(column(got, 2), "target is the largest").toEqual(column(want, 2));
    expect(column(got, 3), "padding").toEqual(column(want, 3));
  });
}

gpuTest("row_statistics of equal logits: entropy log V, and the lowest index is the largest", async ({ gpu, input, output }) => {
  const V = 40; // more than a lane's worth: the tie is between lanes and within one
  const statistics = output("statistics", [3, 4]);
  rowStatistics(
    gpu,
    {
      logits: input("logits", [3, V], new Float32Array(3 * V).fill(-2)),
      lse: input("lse", [3], new Float32Array(3).fill(Math.log(V) - 2)),
      targets: input("targets", [3], Uint32Array.of(0, 1, 16)),
    },
    { statistics },
  );
  const got = await gpu.read(statistics);
  expectClose("mean logit", column(got, 0), [-2, -2, -2]);
  expectClose("entropy", column(got, 1), [Math.log(V), Math.log(V), Math.log(V)]);
  expect(column(got, 2)).toEqual([1, 0, 0]);
});
