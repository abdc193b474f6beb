import { expect } from "vitest";
import { embedding } from "../../src/kernels/embedding.ts";
import { gpuTest, randomIntegers, randomNormal } from "../gpu.ts";
import { packF16 } from "../pack_f16.ts";
import { packQuantised } from "../pack_quantised.ts";
import { embedding as reference } from "../reference/embedding.ts";

for (const [T, V, C] of [
  [1, 1, 4],
  [7, 5, 12],
  [33, 640, 128],
  [5, 331, 896],
] as const) {
  gpuTest(`embedding of ${T} tokens from [${V}, ${C}], f32 and f16`, async ({ gpu, input, output }) => {
    const ids = randomIntegers("ids", T, V);
    const values = randomNormal("table", V * C);
    const f32 = output("y", [T, C]);
    embedding(gpu, { table: input("table", [V, C], values), ids: input("ids", [T], ids) }, { y: f32 });
    expect([...(await gpu.read(f32))]).toEqual([...reference(values, ids, C)]);

    const { words, rounded } = packF16(values);
    const table = { ...input("table", [words.length], words), shape: [V, C], dtype: "f16" as const };
    const f16 = output("y", [T, C]);
    embedding(gpu, { table, ids: input("ids", [T], ids) }, { y: f16 });
    expect([...(await gpu.read(f16))]).toEqual([...reference(rounded, ids, C)]);
  });
}

for (const bits of [8, 4] as const) {
  for (const [T, V, C] of [
    [1, 1, 32],
    [5, 331, 896],
  ] as const) {
    gpuTest(`embedding of ${T} tokens from [${V}, ${C}], int${bits}`, async ({ gpu, input, output }) => {
      const ids = randomIntegers("ids", T, V);
      const { words, scales, dequantised } = packQuantised(randomNormal("table", V * C), bits);
      const table = { ...input("table", [words.length], words), shape: [V, C], dtype: `int${bits}` as const };
      const y = output("y", [T, C]);
      embedding(gpu, { table, scales: input("scales", [V, C / 32], scales), ids: input("ids", [T], ids) }, { y });
      expect([...(await gpu.read(y))]).toEqual([...reference(dequantised, ids, C)]);
    });
  }
}

gpuTest("embedding from two shards of a table", async ({ gpu, input, output }) => {
  const [T, V, C, split] = [40, 11, 8, 4];
  const ids = input("ids", [T], randomIntegers("ids", T, V));
  const values = randomNormal("table", V * C);
  const y = output("y", [T, C]);
  embedding(gpu, { table: input("front", [split, C], values.slice(0, split * C)), ids }, { y });
  embedding(gpu, { table: input("back", [V - split, C], values.slice(split * C)), ids }, { y }, split);
  expect([...(await gpu.read(y))]).toEqual([...reference(values, randomIntegers("ids", T, V), C)]);
});

gpuTest("embedding from three shards at once, int8, and from those behind them", async ({ gpu, input, output }) => {
  const [T, V, C] = [60, 23, 64];
  const ids = input("ids", [T], randomIntegers("ids", T, V));
  const { words, scales, dequantised } = packQuantised(randomNormal("table", V * C), 8);
  const shard = (from: number, to: number) => ({
    table: {
      ...input("table", [((to - from) * C) / 4], words.slice((from * C) / 4, (to * C) / 4)),
      shape: [to - from, C],
      dtype: "int8" as const,
    },
    scales: input("scales", [to - from, C / 32], scales.slice((from * C) / 32, (to * C) / 32)),
  });
  const y = output("y", [T, C]);
  embedding(gpu, { ...shard(0, 4), more: [shard(4, 9), shard(9, 10)], ids }, { y });
  embedding(gpu, { ...shard(10, 21), more: [shard(21, 23)], ids }, { y }, 10);
  expect([...(await gpu.read(y))]).toEqual([...reference(dequantised, randomIntegers("ids", T, V), C)]);
  const one = shard(0, 1);
  expect(() => embedding(gpu, { ...one, more: [one, one, one], ids }, { y })).toThrow("up to 3 shards, found 4");
});

gpuTest("embedding names the tensor whose shape is wrong", async ({ gpu, input, output }) => {
  const table = input("table", [3, 4], new Float32Array(12));
  const ids = input("ids", [2], new Uint32Array(2));
  expect(() => embedding(gpu, { table, ids }, { y: output("y", [2, 5]) })).toThrow("y has shape [2, 5], expected [2, 4]");
});
