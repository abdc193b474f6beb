import { attentionJoin } from "../../src/kernels/attention_join.ts";
import { expectClose, gpuTest, randomNormal } from "../gpu.ts";
import { attentionJoin as reference } from "../reference/attention_join.ts";

gpuTest("attention_join of 1, 2 and 3 of 3 chunks", async ({ gpu, input, output }) => {
  const [chunks, H, D] = [3, 3, 20];
  const used = [1, 2, 3];
  const parts = randomNormal("parts", used.length * chunks * H * (D + 2), 3);
  for (let i = D + 1; i < parts.length; i += D + 2) parts[i] = 1 + Math.abs(parts[i]!); // totals
  const spans = Uint32Array.from([0, 100, 500, 501, 0, 100, 500, 529, 0, 256, 500, 501]);
  const o = output("o", [used.length, H * D]);
  const inputs = { parts: input("parts", [used.length, chunks, H, D + 2], parts), spans: input("spans", [used.length, 4], spans) };
  attentionJoin(gpu, inputs, { o });
  expectClose("o", await gpu.read(o), reference(parts, used, chunks, H, D));
});
