import { expect, test } from "vitest";
import { attentionBackwardKeyValue } from "../../src/kernels/attention_backward_key_value.ts";
import { attentionGradients } from "../attention_gradients.ts";
import { expectClose, finiteDifferences, gpuTest, randomNormal } from "../gpu.ts";
import { attention, packedSpans } from "../reference/attention.ts";
import { attentionBackwardDelta } from "../reference/attention_backward_delta.ts";
import { attentionBackwardKeyValue as reference } from "../reference/attention_backward_key_value.ts";

for (const [H, KV, D, prompt, completions] of [
  [1, 1, 4, 2, []],
  [3, 1, 20, 5, [3, 1, 4]],
  [2, 2, 36, 9, [6]],
  [4, 2, 32, 33, [9, 17]],
  [14, 2, 64, 40, [12, 30]],
] as const) {
  gpuTest(`attention_backward_key_value, ${H} heads on ${KV} of size ${D}, ${prompt} and [${completions}] tokens`, async (bench) => {
    const { gpu, output } = bench;
    const { T, numbers, tensors, readers } = attentionGradients(bench, { H, KV, D }, prompt, completions);
    const outputs = { dk: output("dk", [T, KV * D]), dv: output("dv", [T, KV * D]) };
    attentionBackwardKeyValue(gpu, { ...tensors, readers }, outputs, D);
    const want = reference(numbers, { H, KV, D });
    expectClose("dk", await gpu.read(outputs.dk), want.dk);
    expectClose("dv", await gpu.read(outputs.dv), want.dv);
  });
}

test("the reference agrees with finite differences", () => {
  const shape = { H: 4, KV: 2, D: 6 };
  const { spans } = packedSpans(3, [2, 3]);
  const T = spans.length / 4;
  const q = randomNormal("q", T * shape.H * shape.D);
  const k = Float64Array.from(randomNormal("k", T * shape.KV * shape.D));
  const v = Float64Array.from(randomNormal("v", T * shape.KV * shape.D));
  const d_o = randomNormal("d_o", q.length);
  const { o, lse } = attention(q, k, v, spans, shape);
  const { dk, dv } = reference({ q, k, v, d_o, stats: attentionBackwardDelta(o, d_o, lse, shape.D), spans }, shape);
  const loss = (values: Float64Array) => values.reduce((sum, value, i) => sum + value * d_o[i]!, 0);
  finiteDifferences(k, (at) => loss(attention(q, at, v, spans, shape).o)).forEach((d, i) => {
    expect(dk[i]).toBeCloseTo(d, 7);
  });
  finiteDifferences(v, (at) => loss(attention(q, k, at, spans, shape).o)).forEach((d, i) => {
    expect(dv[i]).toBeCloseTo(d, 7);
  });
});
