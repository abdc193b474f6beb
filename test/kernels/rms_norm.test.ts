import { expect } from "vitest";
import { rmsNorm } from "../../src/kernels/rms_norm.ts";
import { expectClose, gpuTest, randomNormal } from "../gpu.ts";
import { rmsNorm as reference } from "../reference/rms_norm.ts";

for (const [N, C] of [
  [1, 4],
  [3, 20],
  [5, 900],
  [65, 128],
  [9, 896],
] as const) {
  gpuTest(`rms_norm [${N}, ${C}]`, async ({ gpu, input, output }) => {
    const x = randomNormal("x", N * C, 3);
    const weight = randomNormal("weight", C);
    const outputs = { y: output("y", [N, C]), rstd: output("rstd", [N]) };
    rmsNorm(gpu, { x: input("x", [N, C], x), weight: input("weight", [C], weight) }, outputs, 1e-6);
    const want = reference(x, weight, 1e-6);
    expectClose("y", await gpu.read(outputs.y), want.y);
    expectClose("rstd", await gpu.read(outputs.rstd), want.rstd);
  });
}

gpuTest("eps keeps a row of zeros finite", async ({ gpu, input, output }) => {
  const y = output("y", [1, 8]);
  const rstd = output("rstd", [1]);
  const weight = input("weight", [8], new Float32Array(8).fill(1));
  rmsNorm(gpu, { x: input("x", [1, 8], new Float32Array(8)), weight }, { y, rstd }, 1e-6);
  expect([...(await gpu.read(y))]).toEqual(new Array(8).fill(0));
  expectClose("rstd", await gpu.read(rstd), [1000]);
});
