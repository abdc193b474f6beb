import { logSoftmax } from "../../src/kernels/log_softmax.ts";
import { expectClose, gpuTest, randomIntegers, randomNormal } from "../gpu.ts";
import { logSoftmax as reference } from "../reference/log_softmax.ts";

for (const [M, V, scale] of [
  [1, 1, 1],
  [3, 7, 1],
  [33, 640, 5],
  [2, 15193, 3],
  [4, 331, 500],
] as const) {
  gpuTest(`log_softmax [${M}, ${V}], logits of size ${scale}`, async ({ gpu, input, output }) => {
    const logits = randomNormal("logits", M * V, scale);
    const targets = randomIntegers("targets", M, V);
    const outputs = { logp: output("logp", [M]), lse: output("lse", [M]) };
    logSoftmax(gpu, { logits: input("logits", [M, V], logits), targets: input("targets", [M], targets) }, outputs);
    const want = reference(logits, targets, V);
    expectClose("logp", await gpu.read(outputs.logp), want.logp);
    expectClose("lse", await gpu.read(outputs.lse), want.lse);
  });
}
