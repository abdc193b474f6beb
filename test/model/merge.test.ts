// The adapter folded into its base, against sums in double precision.
import { describe, expect, test } from "vitest";
import { readConfig } from "../../src/model/config.ts";
import { factorsByWeight, type MergedDtype, mergeFile } from "../../src/model/merge.ts";
import { readAdapter } from "../../src/model/peft.ts";
import { bytesSource, f16BitsToF32, f32ToBf16Bits, f32ToF16Bits, writeSafetensors } from "../../src/model/safetensors.ts";
import { findBytes, folder, type GoldenTensor, readJson, readSafetensors, sameBytes } from "../golden/golden.ts";

const BASE = "models/tiny-qwen2/model.safetensors";
const ADAPTER = "dpo/tiny-qwen2/r8-rslora/adapter";
const config = readConfig(readJson("models/tiny-qwen2/config.json"), "config.json");

async function merged(dtype: MergedDtype | null, base = findBytes(BASE)!): Promise<Uint8Array> {
  const factors = factorsByWeight(await readAdapter(folder(ADAPTER), config), config);
  const { pieces } = await mergeFile(bytesSource("model.safetensors", base), factors, dtype);
  const parts: Uint8Array[] = [];
  for await (const piece of pieces) parts.push(piece);
  return Buffer.concat(parts);
}

/** W + alpha / sqrt(r) B A of one projection. */
function expected(path: string, weight: GoldenTensor): Float64Array {
  const adapter = readSafetensors(`${ADAPTER}/adapter_model.safetensors`);
  const [A, B] = ["A", "B"].map((side) => adapter.get(`base_model.model.${path.replace(/weight$/, "")}lora_${side}.weight`)!.data);
  const [, inputs = 0] = weight.shape;
  const scale = 16 / Math.sqrt(8);
  return Float64Array.from(weight.data, (value, i) => {
    const [row, column] = [Math.floor(i / inputs), i % inputs];
    let sum = 0;
    for (let k = 0; k < 8; k++) sum += B![row * 8 + k]! * A![k * inputs + column]!;
    return value + scale * sum;
  });
}

test("projections get their product, every other tensor keeps its bytes, and the file its order", async () => {
  const file = await merged(null);
  const [before, after] = [readSafetensors(BASE), new Map(tensorsIn(file))];
  expect([...after.keys()]).toEqual([...before.keys()]);
  let changed = 0;
  for (const [name, tensor] of before) {
    const got = after.get(name)!;
    expect(got.dtype).toBe("F32");
    if (/_proj\.weight$/.test(name)) {
      changed++;
      const want = expected(name, tensor);
      const worst = want.reduce((most, value, i) => Math.max(most, Math.abs(got.values()[i]! - value)), 0);
      expect(worst, name).toBeLessThan(1e-6);
    } else expect(sameBytes(got.bytes, tensor.data), name).toBe(true);
  }
  expect(changed).toBe(21);
});

describe("other dtypes", () => {
  test.each([
    ["F16", f32ToF16Bits],
    ["BF16", f32ToBf16Bits],
  ] as const)("%s rounds the merged float32 values once", async (dtype, round) => {
    const exact = new Map(tensorsIn(await merged(null)));
    for (const [name, { bytes, dtype: stored }] of tensorsIn(await merged(dtype))) {
      expect(stored).toBe(dtype);
      expect(sameBytes(bytes, round(exact.get(name)!.values())), name).toBe(true);
    }
  });

  test("a half-precision base stays one, and is widened where float32 is asked for", async () => {
    const half = findBytes("models/tiny-qwen2-f16/model.safetensors")!;
    for (const [, { dtype }] of tensorsIn(await merged(null, half))) expect(dtype).toBe("F16");
    const wide = new Map(tensorsIn(await merged("F32", half)));
    for (const [name, { bytes }] of tensorsIn(half)) {
      if (/_proj\.weight$/.test(name)) continue;
      expect(sameBytes(wide.get(name)!.values(), f16BitsToF32(new Uint16Array(new Uint8Array(bytes).buffer))), name).toBe(true);
    }
  });

  test("a value that half precision cannot hold is refused, naming tensor and value", async () => {
    const tensors = [...readSafetensors(BASE)].map(([name, tensor]) => ({ name, ...tensor }));
    tensors.find(({ name }) => name === "model.norm.weight")!.data[3] = 70000;
    await expect(merged("F16", writeSafetensors(tensors))).rejects.toThrow(
      'model.safetensors: tensor "model.norm.weight": expected finite values, found 70000, which F16 cannot hold.',
    );
  });
});

interface Stored {
  dtype: string;
  bytes: Uint8Array;
  values(): Float32Array<ArrayBuffer>;
}

/** The tensors of a file in its order, by a reader that shares nothing with the one under test. */
function tensorsIn(file: Uint8Array): [string, Stored][] {
  const begin = 8 + Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header: Record<string, { dtype: string; data_offsets: [number, number] }> = JSON.parse(
    new TextDecoder().decode(file.subarray(8, begin)),
  );
  return Object.entries(header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, { dtype, data_offsets: offsets }]) => {
      const bytes = new Uint8Array(file.subarray(begin + offsets[0], begin + offsets[1]));
      return [name, { dtype, bytes, values: () => new Float32Array(bytes.buffer) }];
    });
}
