import { expect } from "vitest";
import { attentionBackwardKeyValue } from "../../src/kernels/attention_backward_key_value.ts";
import { attentionBackwardKeyValueQuads } from "../../src/kernels/attention_backward_key_value_quads.ts";
import { expectClose, gpuTest, randomNormal } from "../gpu.ts";
import { attention, packedSpans } from "../reference/attention.ts";
import { attentionBackwardDelta } from "../reference/attention_backward_delta.ts";
import { attentionBackwardKeyValueQuads as reference } from "../reference/attention_backward_key_value_quads.ts";

for (const [H, KV, D, prompt, completions] of [
  [1, 1, 4, 2, []],
  [3, 1, 20, 5, [3, 1, 4]],
  [4, 2, 32, 33, [9, 17]],
  [14, 2, 64, 40, [12, 30]],
] as const) {
  gpuTest(
    `attention_backward_key_value_quads, ${H} heads on ${KV} of size ${D}, ${prompt} and [${completions}] tokens: the same bits`,
    async (bench) => {
      const { gpu, input, output } = bench;
      if (!gpu.subgroups) return; // backward.ts then takes the other kernel
      const shape = { H, KV, D };
      const { spans, readers } = packedSpans(prompt, completions);
      const T = spans.length / 4;
      const q = randomNormal("q", T * H * D);
      const k = randomNormal("k", T * KV * D);
      const v = randomNormal("v", T * KV * D);
      const d_o = randomNormal("d_o", T * H * D);
      const { o, lse } = attention(q, k, v, spans, shape);
      const stats = Float32Array.from(attentionBackwardDelta(o, d_o, lse, D));
      const inputs = {
        q: input("q", [T, H * D], q),
        k: input("k", [T, KV * D], k),
        v: input("v", [T, KV * D], v),
        d_o: input("d_o", [T, H * D], d_o),
        stats: input("stats", [T, H, 2], stats),
        readers: input("readers", [T, 2], readers),
      };
      const outputs = { dk: output("dk", [T, KV * D]), dv: output("dv", [T, KV * D]) };
      const plain = { dk: output("plain dk", [T, KV * D]), dv: output("plain dv", [T, KV * D]) };
      attentionBackwardKeyValueQuads(gpu, inputs, outputs, D);
      attentionBackwardKeyValue(gpu, inputs, plain, D);
      const want = reference({ q, k, v, d_o, stats, spans }, shape);
      expectClose("dk", await gpu.read(outputs.dk), want.dk);
      expectClose("dv", await gpu.read(outputs.dv), want.dv);
      expect(await gpu.read(outputs.dk)).toEqual(await gpu.read(plain.dk));
      expect(await gpu.read(outputs.dv)).toEqual(await gpu.read(plain.dv));
    },
  );
}
