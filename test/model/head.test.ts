import { expect } from "vitest";
import { allocateHead, freeHead, headLogps } from "../../src/model/head.ts";
import type { Matrix } from "../../src/model/matrix.ts";
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

gpuTest("a head in shards gives the same log-probabilities, bit for bit, and the same gradients", async ({ gpu, input }) => {
  const model = await loadModel(gpu, modelFiles("tiny-qwen2"), { dtype: "f32" });
  const pack = packGroups([{ promptIds: [5, 6, 7], completions: [[8, 9, 10, 11], [12]] }]);
  const T = pack.ids.length;
  const hidden = input("hidden", [T, model.config.C], randomNormal("hidden", T * model.config.C));
  const head = allocateHead(gpu, model, { tokens: T, rows: 12 });
  const whole = await headLogps(gpu, model, head, hidden, pack, true);
  const wholeRows = await gpu.read(head.drows);
  const shards = { ...model, head: inShards(model.head, 64) };
  expect(shards.head.length).toBeGreaterThan(2);
  expect(await headLogps(gpu, shards, head, hidden, pack, true)).toEqual(whole);
  expectClose("drows", await gpu.read(head.drows), wholeRows, 1e-10);
  freeHead(gpu, head);
  freeModel(gpu, model);
});

/** The matrix as views of `rows` rows each. */
function inShards([whole]: Matrix, rows: number): Matrix {
  const { data } = whole!;
  const [N = 0, K = 0] = data.shape;
  return Array.from({ length: Math.ceil(N / rows) }, (_, i) => {
    const count = Math.min(rows, N - i * rows);
    return { data: { ...data, shape: [count, K], offset: 4 * i * rows * K, bytes: 4 * count * K }, scales: null };
  });
}
