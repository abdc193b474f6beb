import { expect, test } from "vitest";
import { rmsNormBackward } from "../../src/kernels/rms_norm_backward.ts";
import { expectClose, finiteDifferences, gpuTest, randomNormal } from "../gpu.ts";
import { rmsNorm } from "../reference/rms_norm.ts";
import { rmsNormBackward as reference } from "../reference/rms_norm_backward.ts";

for (const [N, C] of [
  [1, 4],
  [3, 20],
  [5, 900],
  [65, 128],
  [9, 896],
] as const) {
  gpuTest(`rms_norm_backward [${N}, ${C}]`, async ({ gpu, input, output }) => {
    const x = randomNormal("x", N * C, 3);
    const weight = randomNormal("weight", C);
    const rstd = Float32Array.from(rmsNorm(x, weight, 1e-6).rstd);
    const dy = randomNormal("dy", N * C);
    const residual = randomNormal("residual", N * C, 0.1);
    const inputs = {
      x: input("x", [N, C], x),
      weight: input("weight", [C], weight),
      rstd: input("rstd", [N], rstd),
      dy: input("dy", [N, C], dy),
      residual: input("residual", [N, C], residual),
    };
    const dx = output("dx", [N, C]);
    rmsNormBackward(gpu, inputs, { dx });
    expectClose("dx", await gpu.read(dx), reference(x, weight, rstd, dy, residual));
  });
}

test("the reference agrees with finite differences", () => {
  const [N, C] = [3, 5];
  const x = Float64Array.from(randomNormal("x", N * C));
  const weight = randomNormal("weight", C);
  const dy = randomNormal("dy", N * C);
  const residual = randomNormal("residual", N * C);
  const f = (at: Float64Array) => rmsNorm(at, weight, 1e-3).y.reduce((sum, y, i) => sum + y * dy[i]! + at[i]! * residual[i]!, 0);
  const dx = reference(x, weight, rmsNorm(x, weight, 1e-3).rstd, dy, residual);
  finiteDifferences(x, f).forEach((d, i) => {
    expect(dx[i]).toBeCloseTo(d, 7);
  });
});
