import { expect, test } from "vitest";
import { ropeBackward } from "../../src/kernels/rope_backward.ts";
import { expectClose, finiteDifferences, gpuTest, randomIntegers, randomNormal } from "../gpu.ts";
import { rope } from "../reference/rope.ts";
import { ropeBackward as reference } from "../reference/rope_backward.ts";

for (const [T, heads, kvHeads, headSize] of [
  [1, 1, 1, 4],
  [3, 3, 1, 12],
  [5, 1, 1, 20],
  [33, 4, 2, 32],
  [9, 14, 2, 64],
] as const) {
  for (const normed of [false, true]) {
    gpuTest(`rope_backward, ${T} tokens, ${heads} and ${kvHeads} heads of ${headSize}, normed: ${normed}`, async (bench) => {
      const { gpu, input, output } = bench;
      const P = 50;
      const shape = { heads, kvHeads, headSize, normEps: 1e-6 };
      const [width, queryWidth, keyWidth] = [(heads + 2 * kvHeads) * headSize, heads * headSize, kvHeads * headSize];
      const qkv = randomNormal("qkv", T * width);
      const norms = normed ? randomNormal("norms", 2 * headSize) : null;
      const [dq, dk, dv] = [randomNormal("dq", T * queryWidth), randomNormal("dk", T * keyWidth), randomNormal("dv", T * keyWidth)];
      const rotary = randomNormal("rotary", P * headSize);
      const positions = randomIntegers("positions", T, P);
      const inputs = {
        dq: input("dq", [T, queryWidth], dq),
        dk: input("dk", [T, keyWidth], dk),
        dv: input("dv", [T, keyWidth], dv),
        qkv: norms && input("qkv", [T, width], qkv),
        norms: norms && input("norms", [2, headSize], norms),
        positions: input("positions", [T], positions),
        rotary: input("rotary", [P, headSize], rotary),
      };
      const dqkv = output("dqkv", [T, width]);
      ropeBackward(gpu, inputs, { dqkv }, shape);
      expectClose("dqkv", await gpu.read(dqkv), reference(dq, dk, dv, { qkv, norms, positions, rotary }, shape));
    });
  }
}

test.each([false, true])("the reference agrees with finite differences, normed: %s", (normed) => {
  const shape = { heads: 2, kvHeads: 1, headSize: 4, normEps: 1e-3 };
  const T = 3;
  const [dq, dk, dv] = [randomNormal("dq", T * 8), randomNormal("dk", T * 4), randomNormal("dv", T * 4)];
  const inputs = { norms: normed ? randomNormal("norms", 8) : null, positions: [4, 0, 2], rotary: randomNormal("rotary", 20) };
  const qkv = Float64Array.from(randomNormal("qkv", T * 16));
  const weighted = (y: Float64Array, dy: Float32Array) => y.reduce((sum, value, i) => sum + value * dy[i]!, 0);
  const f = (at: Float64Array) => {
    const { q, k, v } = rope({ ...inputs, qkv: at }, shape);
    return weighted(q, dq) + weighted(k, dk) + weighted(v, dv);
  };
  const dqkv = reference(dq, dk, dv, { ...inputs, qkv }, shape);
  finiteDifferences(qkv, f).forEach((d, i) => {
    expect(dqkv[i]).toBeCloseTo(d, 6);
  });
});
