import { attentionBackwardDelta } from "../../src/kernels/attention_backward_delta.ts";
import { expectClose, gpuTest, randomNormal } from "../gpu.ts";
import { attentionBackwardDelta as reference } from "../reference/attention_backward_delta.ts";

for (const [T, H, D] of [
  [1, 1, 4],
  [5, 3, 20],
  [33, 4, 32],
  [70, 14, 64],
] as const) {
  gpuTest(`attention_backward_delta, ${T} tokens, ${H} heads of size ${D}`, async ({ gpu, input, output }) => {
    const o = randomNormal("o", T * H * D);
    const d_o = randomNormal("d_o", T * H * D);
    const lse = randomNormal("lse", T * H);
    const stats = output("stats", [T, H, 2]);
    const inputs = { o: input("o", [T, H * D], o), d_o: input("d_o", [T, H * D], d_o), lse: input("lse", [T, H], lse) };
    attentionBackwardDelta(gpu, inputs, { stats }, D);
    expectClose("stats", await gpu.read(stats), reference(o, d_o, lse, D));
  });
}
