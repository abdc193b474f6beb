import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { readConfig } from "../../src/model/config.ts";
import type { ModelFiles } from "../../src/model/files.ts";
import { bytesSource, f32ToF16Bits, writeSafetensors } from "../../src/model/safetensors.ts";
import { openWeights } from "../../src/model/weights.ts";
import { modelFiles, readBytes, readJson, readSafetensors, sameBytes } from "../golden/golden.ts";

const golden = readSafetensors("models/tiny-qwen2/model.safetensors");
const index = readJson<{ weight_map: Record<string, string> }>("models/tiny-qwen2-sharded/model.safetensors.index.json");
const NORM = "model.norm.weight";
const INDEX = "model.safetensors.index.json";

function inMemory(files: Record<string, Uint8Array | object>): ModelFiles {
  const bytes = (content: Uint8Array | object) =>
    content instanceof Uint8Array ? content : new TextEncoder().encode(JSON.stringify(content));
  return { id: "memory", open: async (path) => (Object.hasOwn(files, path) ? bytesSource(path, bytes(files[path]!)) : null) };
}

/** One shard of tiny-qwen2 by the golden index. */
function shard(file: string): Uint8Array {
  const names = Object.keys(index.weight_map).filter((name) => index.weight_map[name] === file);
  return writeSafetensors(names.map((name) => ({ name, ...golden.get(name)! })));
}

function shards(): Record<string, Uint8Array | object> {
  const files = [...new Set(Object.values(index.weight_map))];
  return { [INDEX]: index, ...Object.fromEntries(files.map((file) => [file, shard(file)])) };
}

describe("one file or shards", () => {
  test("give the same tensors", async () => {
    const whole = await openWeights(modelFiles("tiny-qwen2"));
    const parts = await openWeights(inMemory(shards()));
    expect(new Set(parts.tensors.keys())).toEqual(new Set(whole.tensors.keys()));
    for (const [name, { shape, data }] of golden) {
      expect(sameBytes(await whole.readF32(name, shape), data)).toBe(true);
      expect(sameBytes(await parts.readF32(name, shape), data)).toBe(true);
    }
  });

  test("are digested over their bytes in the order of their names", async () => {
    const hash = (...files: Uint8Array[]) => files.reduce((digest, bytes) => digest.update(bytes), createHash("sha256")).digest("hex");
    expect(await (await openWeights(modelFiles("tiny-qwen2"))).sha256()).toBe(hash(readBytes("models/tiny-qwen2/model.safetensors")));
    const names = [...new Set(Object.values(index.weight_map))].sort();
    expect(await (await openWeights(inMemory(shards()))).sha256()).toBe(hash(...names.map(shard)));
  });

  test("read as half precision are the rounded values, or the stored ones", async () => {
    const name = "model.layers.0.mlp.up_proj.weight";
    const { shape, data } = golden.get(name)!;
    const stored = await (await openWeights(modelFiles("tiny-qwen2-f16"))).readF16(name, shape);
    expect(sameBytes(await (await openWeights(modelFiles("tiny-qwen2"))).readF16(name, shape), stored)).toBe(true);
    expect(sameBytes(stored, f32ToF16Bits(data))).toBe(true);
  });

  test("fit their config", async () => {
    const config = readConfig(readJson("models/tiny-qwen2/config.json"), "config.json");
    const weights = await openWeights(inMemory(shards()));
    expect(() => weights.check(config)).not.toThrow();
    expect(() => weights.check({ ...config, tied: false })).toThrow(
      'memory: expected tensor "lm_head.weight" of shape [320,64] by config.json, found none.',
    );
    expect(() => weights.check({ ...config, F: 180 })).toThrow(/expected shape \[180,64\] by config.json, found \[176,64\]\.$/);
  });
});

describe("refused", () => {
  const [first = ""] = Object.values(index.weight_map);
  const { [first]: _, ...lacking } = shards();
  test.each([
    ["a folder without weights", {}, "memory: expected model.safetensors or model.safetensors.index.json, found neither."],
    ["an index that is a list", { [INDEX]: [] }, "model.safetensors.index.json: expected weight_map"],
    ["an index that leads out of the folder", { [INDEX]: { weight_map: { a: "../a.safetensors" } } }, 'found "../a.safetensors".'],
    ["an index of numbers", { [INDEX]: { weight_map: { a: 3 } } }, "expected a file of this folder, found 3."],
    ["a shard that is missing", lacking, `memory: expected ${first}, which model.safetensors.index.json names, found no such file.`],
    [
      "a tensor that its shard has not",
      { ...shards(), [INDEX]: { weight_map: { a: first } } },
      `${first}: expected tensor "a", which model.safetensors.index.json says is there, found none.`,
    ],
    ["a shard that is damaged", { ...shards(), [first]: shard(first).slice(0, -1) }, "the file is truncated."],
  ])("%s", async (_name, files, message) => {
    await expect(openWeights(inMemory(files))).rejects.toThrow(message);
  });

  test.each([
    [Number.NaN, "expected finite values, found NaN at 1."],
    [Number.NEGATIVE_INFINITY, "expected finite values, found -Infinity at 1."],
  ])("a weight of %s", async (value, message) => {
    const file = writeSafetensors([{ name: NORM, shape: [2], data: new Float32Array([1, value]) }]);
    const weights = await openWeights(inMemory({ "model.safetensors": file }));
    await expect(weights.readF32(NORM, [2])).rejects.toThrow(`model.safetensors: tensor "${NORM}": ${message}`);
  });

  test("a stored half that is no number, in some rows and in all", async () => {
    const file = readBytes("models/tiny-qwen2-f16/model.safetensors").slice();
    const weights = await openWeights(inMemory({ "model.safetensors": file }));
    const [name, { shape }] = [...weights.tensors].at(-1)!;
    expect(shape).toHaveLength(1);
    file.set([0, 0xfc], file.length - 2); // minus infinity
    const message = `tensor "${name}": expected finite values, found -Infinity at ${shape[0]! - 1}.`;
    await expect(weights.readF16(name, shape)).rejects.toThrow(message);
    await expect(weights.readF32(name, shape)).rejects.toThrow(message);
  });

  test("a weight beyond half precision, as half precision only", async () => {
    const file = writeSafetensors([{ name: NORM, shape: [2], data: new Float32Array([1, 65520]) }]);
    const weights = await openWeights(inMemory({ "model.safetensors": file }));
    expect(await weights.readF32(NORM, [2])).toEqual(new Float32Array([1, 65520]));
    await expect(weights.readF16(NORM, [2])).rejects.toThrow("65520 at 1 is too large for dtype f16; use f32.");
    await expect(weights.readF16(NORM, [3])).rejects.toThrow("expected shape [3] by config.json, found [2].");
  });
});
