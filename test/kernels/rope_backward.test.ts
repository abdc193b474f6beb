import { expect, test } from "vitest";
import { ropeBackward } from "../../src/kernels/rope_backward.ts";
import { expectClose, finiteDifferences, gpuTest, randomIntegers, randomNormal } from "../gpu.ts";
import { rope } from "../reference/rope.ts";
import { ropeBackward as reference } from "../reference/rope_backward.ts";

for (const [T, H, D] of [
  [1, 1, 2],
  [3, 3, 6],
  [5, 1, 20],
  [33, 4, 32],
  [9, 14, 64],
] as const) {
  gpuTest(`rope_backward, ${T} tokens, ${H} heads of size ${D}`, async ({ gpu, input, output }) => {
    const P = 50;
    const dy = randomNormal("dy", T * H * D);
    const rotary = randomNormal("rotary", P * D);
    const positions = randomIntegers("positions", T, P);
    const inputs = {
      dy: input("dy", [T, H * D], dy),
      positions: input("positions", [T], positions),
      rotary: input("rotary", [P, D], rotary),
    };
    const dx = output("dx", [T, H * D]);
    ropeBackward(gpu, inputs, { dx });
    expectClose("dx", await gpu.read(dx), reference(dy, positions, rotary, D));
  });
}

test("the reference agrees with finite differences", () => {
  const [T, H, D] = [3, 2, 4];
  const n = T * H * D;
  const dy = randomNormal("dy", n);
  const rotary = randomNormal("rotary", 5 * D);
  const positions = [4, 0, 2];
  const f = (x: Float64Array) => rope(x, positions, [0, 1, 2], rotary, new Float64Array(n), D).reduce((sum, y, i) => sum + y * dy[i]!, 0);
  const dx = reference(dy, positions, rotary, D);
  finiteDifferences(Float64Array.from(randomNormal("x", n)), f).forEach((d, i) => {
    expect(dx[i]).toBeCloseTo(d, 8);
  });
});
