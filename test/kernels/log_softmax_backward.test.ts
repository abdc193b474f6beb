import { expect, test } from "vitest";
import { logSoftmaxBackward } from "../../src/kernels/log_softmax_backward.ts";
import { expectClose, finiteDifferences, gpuTest, randomIntegers, randomNormal } from "../gpu.ts";
import { logSoftmax } from "../reference/log_softmax.ts";
import { logSoftmaxBackward as reference } from "../reference/log_softmax_backward.ts";

for (const [M, V] of [
  [1, 1],
  [3, 7],
  [33, 640],
  [2, 15193],
] as const) {
  gpuTest(`log_softmax_backward [${M}, ${V}]`, async ({ gpu, input, output }) => {
    const values = randomNormal("logits", M * V, 3);
    const targets = randomIntegers("targets", M, V);
    const lse = Float32Array.from(logSoftmax(values, targets, V).lse);
    const logits = output("logits", [M, V], "f32", values);
    logSoftmaxBackward(gpu, { lse: input("lse", [M], lse), targets: input("targets", [M], targets) }, { logits });
    expectClose("logits", await gpu.read(logits), reference(values, lse, targets, V));
  });
}

test("the reference agrees with finite differences", () => {
  const [M, V] = [2, 5];
  const logits = Float64Array.from(randomNormal("logits", M * V));
  const targets = randomIntegers("targets", M, V);
  const dlogits = reference(logits, logSoftmax(logits, targets, V).lse, targets, V);
  const f = (at: Float64Array) => logSoftmax(at, targets, V).logp.reduce((sum, v) => sum + v, 0);
  finiteDifferences(logits, f).forEach((d, i) => {
    expect(dlogits[i]).toBeCloseTo(d, 8);
  });
});
