import { describe, expect, test } from "vitest";
import { quantize } from "../../src/model/quantize.ts";
import { readJson, sameBytes } from "../golden/golden.ts";
import { packQuantised } from "../pack_quantised.ts";

type Stored = { x: string } & Record<"int8" | "int4", { packed: string; scale: string }>;

const golden = readJson<Record<"plain" | "outliers", Stored>>("quant/quant.json");
const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, "base64")).buffer;

describe.each(["int8", "int4"] as const)("%s", (dtype) => {
  test.each(["plain", "outliers"] as const)("%s values become PyTorch's words and scales, to the bit", (name) => {
    const { words, scales } = quantize(new Float32Array(bytesOf(golden[name].x)), dtype);
    expect(sameBytes(words, new Uint32Array(bytesOf(golden[name][dtype].packed)))).toBe(true);
    expect(sameBytes(scales, new Float32Array(bytesOf(golden[name][dtype].scale)))).toBe(true);
  });

  test("agrees with the kernels' tests on ties, zeros, subnormals and large values", () => {
    const row = Float32Array.from({ length: 160 }, (_, i) => {
      if (i < 32) return 0;
      if (i < 64) return (i - 48) / 2; // ties
      if (i < 96) return (i - 80) * 1e-42;
      return i < 128 ? (i - 112) * 1e37 : Math.sin(i);
    });
    const { words, scales } = quantize(row, dtype);
    const want = packQuantised(row, dtype === "int8" ? 8 : 4);
    expect([...words]).toEqual([...want.words]);
    expect([...scales]).toEqual([...want.scales]);
  });

  test("a row that is no whole group is refused", () => {
    expect(() => quantize(new Float32Array(48), dtype)).toThrow("expected a multiple of 32 values, found 48");
  });
});
