import { expect, test } from "vitest";
import { rope } from "../../src/kernels/rope.ts";
import { expectClose, gpuTest, randomIntegers, randomNormal } from "../gpu.ts";
import { rope as reference } from "../reference/rope.ts";

for (const [T, S, H, D] of [
  [1, 1, 1, 2],
  [3, 7, 3, 6],
  [5, 5, 1, 20],
  [33, 40, 4, 32],
  [9, 9, 14, 64],
] as const) {
  gpuTest(`rope, ${T} tokens to ${S} slots, ${H} heads of size ${D}`, async ({ gpu, input, output }) => {
    const P = 50;
    const x = randomNormal("x", T * H * D);
    const start = randomNormal("start", S * H * D);
    const rotary = randomNormal("rotary", P * D);
    const positions = randomIntegers("positions", T, P);
    const slots = Uint32Array.from({ length: T }, (_, t) => S - 1 - t);
    const inputs = {
      x: input("x", [T, H * D], x),
      positions: input("positions", [T], positions),
      slots: input("slots", [T], slots),
      rotary: input("rotary", [P, D], rotary),
    };
    const y = output("y", [S, H * D], "f32", start);
    rope(gpu, inputs, { y });
    expectClose("y", await gpu.read(y), reference(x, positions, slots, rotary, start, D));
  });
}

test("the reference turns each pair by its angle", () => {
  const rotary = [1, 1, 0, 0, Math.cos(0.1), Math.cos(2), Math.sin(0.1), Math.sin(2)]; // positions 0 and 1, angles 0.1 and 2
  const y = reference([1, 0, 0, 1], [1], [0], rotary, new Float64Array(4), 4);
  expect([...y]).toEqual([Math.cos(0.1), -Math.sin(2), Math.sin(0.1), Math.cos(2)]);
});
