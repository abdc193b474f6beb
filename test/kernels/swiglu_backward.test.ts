import { expect, test } from "vitest";
import { swigluBackward } from "../../src/kernels/swiglu_backward.ts";
import { expectClose, finiteDifferences, gpuTest, randomNormal, sideBySide } from "../gpu.ts";
import { swiglu } from "../reference/swiglu.ts";
import { swigluBackward as reference } from "../reference/swiglu_backward.ts";

for (const [T, F] of [
  [1, 1],
  [3, 331],
  [40, 384],
  [2, 4864],
] as const) {
  gpuTest(`swiglu_backward [${T}, ${F}]`, async ({ gpu, input, output }) => {
    const gate = randomNormal("gate", T * F, 4);
    const up = randomNormal("up", T * F);
    const dy = randomNormal("dy", T * F);
    const dgate_up = output("dgate_up", [T, 2 * F]);
    swigluBackward(gpu, { gate_up: input("gate_up", [T, 2 * F], sideBySide(gate, up, F)), dy: input("dy", [T, F], dy) }, { dgate_up });
    const want = reference(gate, up, dy);
    expectClose("dgate_up", await gpu.read(dgate_up), sideBySide(Float32Array.from(want.dgate), Float32Array.from(want.dup), F));
  });
}

gpuTest("swiglu_backward of a very large gate is finite", async ({ gpu, input, output }) => {
  const gate = Float32Array.of(-3e38, -1000, 1000, 3e38);
  const ones = new Float32Array(4).fill(1);
  const dgate_up = output("dgate_up", [1, 8]);
  swigluBackward(gpu, { gate_up: input("gate_up", [1, 8], sideBySide(gate, ones, 4)), dy: input("dy", [1, 4], ones) }, { dgate_up });
  expectClose("dgate", (await gpu.read(dgate_up)).slice(0, 4), [0, 0, 1, 1]);
});

test("the reference agrees with finite differences", () => {
  const n = 9;
  const gate = Float64Array.from(randomNormal("gate", n, 2));
  const up = Float64Array.from(randomNormal("up", n));
  const dy = randomNormal("dy", n);
  const loss = (y: Float64Array) => y.reduce((sum, v, i) => sum + v * dy[i]!, 0);
  const { dgate, dup } = reference(gate, up, dy);
  finiteDifferences(gate, (at) => loss(swiglu(at, up))).forEach((d, i) => {
    expect(dgate[i]).toBeCloseTo(d, 7);
  });
  finiteDifferences(up, (at) => loss(swiglu(gate, at))).forEach((d, i) => {
    expect(dup[i]).toBeCloseTo(d, 7);
  });
});
