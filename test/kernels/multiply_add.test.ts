import { expect } from "vitest";
import { multiplyAdd } from "../../src/kernels/multiply_add.ts";
import { expectClose, gpuTest, randomNormal } from "../gpu.ts";
import { multiplyAdd as reference } from "../reference/multiply_add.ts";

for (const [n, rounds] of [
  [64, 0],
  [128, 1],
  [192, 37],
] as const) {
  gpuTest(`multiply_add of ${n} chains, ${rounds} rounds`, async ({ gpu, input, output }) => {
    const x = randomNormal("x", 4 * n);
    const y = output("y", [n, 4]);
    const before = gpu.counters.flops;
    multiplyAdd(gpu, { x: input("x", [n, 4], x) }, { y }, { rounds, factor: 0.875, term: 0.25 });
    expectClose("y", await gpu.read(y), reference(x, rounds, 0.875, 0.25));
    expect(gpu.counters.flops - before).toBe(64 * rounds * n);
  });
}
