import { expect, test } from "vitest";
import { swigluBackward } from "../../src/kernels/swiglu_backward.ts";
import { expectClose, finiteDifferences, gpuTest, randomNormal } from "../gpu.ts";
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
    const tensors = { gate: input("gate", [T, F], gate), up: input("up", [T, F], up), dy: input("dy", [T, F], dy) };
    const outputs = { dgate: output("dgate", [T, F]), dup: output("dup", [T, F]) };
    swigluBackward(gpu, tensors, outputs);
    const want = reference(gate, up, dy);
    expectClose("dgate", await gpu.read(outputs.dgate), want.dgate);
    expectClose("dup", await gpu.read(outputs.dup), want.dup);
  });
}

gpuTest("swiglu_backward of a very large gate is finite", async ({ gpu, input, output }) => {
  const gate = Float32Array.of(-3e38, -1000, 1000, 3e38);
  const ones = input("ones", [1, 4], new Float32Array(4).fill(1));
  const dgate = output("dgate", [1, 4]);
  swigluBackward(gpu, { gate: input("gate", [1, 4], gate), up: ones, dy: ones }, { dgate, dup: output("dup", [1, 4]) });
  expectClose("dgate", await gpu.read(dgate), [0, 0, 1, 1]);
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
