import { expect, test } from "vitest";
import { attentionBackwardQuery } from "../../src/kernels/attention_backward_query.ts";
import { attentionGradients } from "../attention_gradients.ts";
import { expectClose, finiteDifferences, gpuTest, randomNormal } from "../gpu.ts";
import { attention, packedSpans } from "../reference/attention.ts";
import { attentionBackwardDelta } from "../reference/attention_backward_delta.ts";
import { attentionBackwardQuery as reference } from "../reference/attention_backward_query.ts";

for (const [H, KV, D, prompt, completions] of [
  [1, 1, 4, 1, []],
  [3, 1, 20, 5, [3, 1, 4]],
  [2, 2, 36, 9, [6]],
  [4, 2, 32, 33, [9, 17]],
  [14, 2, 64, 40, [12, 30]],
  [2, 1, 4, 900, [70, 60]],
] as const) {
  gpuTest(`attention_backward_query, ${H} heads on ${KV} of size ${D}, ${prompt} and [${completions}] tokens`, async (bench) => {
    const { gpu, output } = bench;
    const { T, numbers, tensors, spans } = attentionGradients(bench, { H, KV, D }, prompt, completions);
    const dq = output("dq", [T, H * D]);
    attentionBackwardQuery(gpu, { ...tensors, spans }, { dq }, D);
    const want = reference(numbers, { H, KV, D });
    // One key has no gradient: what is left is rounding, which must stay small beside d_o.
    if (T === 1) expect(Math.max(...(await gpu.read(dq)).map(Math.abs))).toBeLessThan(1e-5);
    else expectClose("dq", await gpu.read(dq), want);
  });
}

test("the reference agrees with finite differences", () => {
  const shape = { H: 4, KV: 2, D: 6 };
  const { spans } = packedSpans(3, [2, 3]);
  const T = spans.length / 4;
  const q = Float64Array.from(randomNormal("q", T * shape.H * shape.D));
  const k = randomNormal("k", T * shape.KV * shape.D);
  const v = randomNormal("v", T * shape.KV * shape.D);
  const d_o = randomNormal("d_o", q.length);
  const { o, lse } = attention(q, k, v, spans, shape);
  const dq = reference({ q, k, v, d_o, stats: attentionBackwardDelta(o, d_o, lse, shape.D), spans }, shape);
  const f = (at: Float64Array) => attention(at, k, v, spans, shape).o.reduce((sum, value, i) => sum + value * d_o[i]!, 0);
  finiteDifferences(q, f).forEach((d, i) => {
    expect(dq[i]).toBeCloseTo(d, 7);
  });
});
