import { expect, test } from "vitest";
import { rope } from "../../src/kernels/rope.ts";
import { expectClose, gpuTest, randomIntegers, randomNormal } from "../gpu.ts";
import { rope as reference } from "../reference/rope.ts";

for (const [T, S, heads, kvHeads, headSize] of [
  [1, 1, 1, 1, 4],
  [3, 7, 3, 1, 12],
  [5, 5, 1, 1, 20],
  [33, 40, 4, 2, 32],
  [9, 9, 14, 2, 64],
] as const) {
  for (const normed of [false, true]) {
    gpuTest(`rope, ${T} tokens to ${S} slots, ${heads} and ${kvHeads} heads of ${headSize}, normed: ${normed}`, async (bench) => {
      const { gpu, input, output } = bench;
      const P = 50;
      const shape = { heads, kvHeads, headSize, normEps: 1e-6 };
      const width = (heads + 2 * kvHeads) * headSize;
      const keyWidth = kvHeads * headSize;
      const qkv = randomNormal("qkv", T * width);
      const norms = normed ? randomNormal("norms", 2 * headSize) : null;
      const start = randomNormal("start", S * keyWidth);
      const rotary = randomNormal("rotary", P * headSize);
      const positions = randomIntegers("positions", T, P);
      const slots = Uint32Array.from({ length: T }, (_, t) => S - 1 - t);
      const inputs = {
        qkv: input("qkv", [T, width], qkv),
        norms: norms && input("norms", [2, headSize], norms),
        positions: input("positions", [T], positions),
        slots: input("slots", [T], slots),
        rotary: input("rotary", [P, headSize], rotary),
      };
      const outputs = {
        q: output("q", [T, heads * headSize]),
        k: output("k", [S, keyWidth], "f32", start),
        v: output("v", [S, keyWidth], "f32", start),
      };
      rope(gpu, inputs, outputs, shape);
      const want = reference({ qkv, norms, positions, rotary }, shape);
      const inSlots = (rows: Float64Array) => {
        const all = Float64Array.from(start);
        slots.forEach((slot, t) => {
          all.set(rows.subarray(t * keyWidth, (t + 1) * keyWidth), slot * keyWidth);
        });
        return all;
      };
      expectClose("q", await gpu.read(outputs.q), want.q);
      expectClose("k", await gpu.read(outputs.k), inSlots(want.k));
      expectClose("v", await gpu.read(outputs.v), inSlots(want.v));
    });
  }
}

test("the reference norms each head, then turns each pair by its angle; values stay", () => {
  const rotary = [1, 1, 0, 0, Math.cos(0.1), Math.cos(2), Math.sin(0.1), Math.sin(2)]; // positions 0 and 1, angles 0.1 and 2
  const shape = { heads: 1, kvHeads: 1, headSize: 4, normEps: 0 };
  const qkv = [1, 0, 0, 1, 2, 0, 0, 2, 5, 6, 7, 8];
  const { q, k, v } = reference({ qkv, norms: null, positions: [1], rotary }, shape);
  expect([...q]).toEqual([Math.cos(0.1), -Math.sin(2), Math.sin(0.1), Math.cos(2)]);
  expect([...k]).toEqual([...q].map((value) => 2 * value));
  expect([...v]).toEqual([5, 6, 7, 8]);
  const normed = reference({ qkv, norms: [1, 1, 1, 1, 3, 3, 3, 3], positions: [0], rotary }, shape);
  expect([...normed.q].map((value) => value.toFixed(6))).toEqual(["1.414214", "0.000000", "0.000000", "1.414214"]);
  expect([...normed.k].map((value) => value.toFixed(6))).toEqual(["4.242641", "0.000000", "0.000000", "4.242641"]);
});
