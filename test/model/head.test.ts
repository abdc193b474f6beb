import { expect } from "vitest";
import { allocateHead, freeHead, headLogps } from "../../src/model/head.ts";
import { freeModel, loadModel } from "../../src/model/model.ts";
import { packGroups } from "../../src/model/pack.ts";
import { modelFiles } from "../golden/golden.ts";
import { expectClose, gpuTest, randomNormal } from "../gpu.ts";

gpuTest("the head chunk by chunk gives each row what it gives in one; no statistics without gradients", async ({ gpu, input }) => {
  const model = await loadModel(gpu, modelFiles("tiny-qwen2"), { dtype: "f32" });
  const pack = packGroups([{ promptIds: [5, 6, 7], completions: [[8, 9, 10, 11], [12]] }]);
  const T = pack.ids.length;
  const M = pack.rows.length;
  const hidden = input("hidden", [T, model.config.C], randomNormal("hidden", T * model.config.C));
  const head = allocateHead(gpu, model, { tokens: T, rows: 12 }); // more rows than the pack has
  const whole = await headLogps(gpu, model, head, hidden, pack, true);
  const chunks = await headLogps(gpu, model, { ...head, chunkRows: 2 }, hidden, pack, true);
  const plain = await headLogps(gpu, model, head, hidden, pack, false);
  expect([whole.logps.length, whole.statistics.length, plain.statistics.length]).toEqual([M, 4 * M, 0]);
  expect(
    whole.statistics.filter((_, i) => i % 4 === 1).every((entropy) => entropy > 0 && entropy <= Math.log(model.config.vocabulary)),
  ).toBe(true);
  expectClose("logps", chunks.logps, whole.logps);
  expectClose("statistics", chunks.statistics, whole.statistics);
  expect(plain.logps).toEqual(whole.logps);
  freeHead(gpu, head);
  freeModel(gpu, model);
});
