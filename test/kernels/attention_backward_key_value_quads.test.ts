import { expect } from "vitest";
import { attentionBackwardKeyValue } from "../../src/kernels/attention_backward_key_value.ts";
import { attentionBackwardKeyValueQuads } from "../../src/kernels/attention_backward_key_value_quads.ts";
import { attentionGradients } from "../attention_gradients.ts";
import { expectClose, gpuTest } from "../gpu.ts";
import { attentionBackwardKeyValueQuads as reference } from "../reference/attention_backward_key_value_quads.ts";

for (const [H, KV, D, prompt, completions] of [
  [1, 1, 4, 2, []],
  [3, 1, 20, 5, [3, 1, 4]],
  [4, 2, 32, 33, [9, 17]],
  [14, 2, 64, 40, [12, 30]],
  [2, 1, 4, 900, [70, 60]],
] as const) {
  const name = `attention_backward_key_value_quads, ${H} heads on ${KV} of size ${D}, ${prompt} and [${completions}] tokens`;
  gpuTest(`${name}: the same bits`, async (bench) => {
    const { gpu, output } = bench;
    if (!gpu.subgroups) return; // backward.ts then takes the other kernel
    const { T, numbers, tensors, readers } = attentionGradients(bench, { H, KV, D }, prompt, completions);
    const outputs = { dk: output("dk", [T, KV * D]), dv: output("dv", [T, KV * D]) };
    const plain = { dk: output("plain dk", [T, KV * D]), dv: output("plain dv", [T, KV * D]) };
    attentionBackwardKeyValueQuads(gpu, { ...tensors, readers }, outputs, D);
    attentionBackwardKeyValue(gpu, { ...tensors, readers }, plain, D);
    const want = reference(numbers, { H, KV, D });
    expectClose("dk", await gpu.read(outputs.dk), want.dk);
    expectClose("dv", await gpu.read(outputs.dv), want.dv);
    expect(await gpu.read(outputs.dk)).toEqual(await gpu.read(plain.dk));
    expect(await gpu.read(outputs.dv)).toEqual(await gpu.read(plain.dv));
  });
}
