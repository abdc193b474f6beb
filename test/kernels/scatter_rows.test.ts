import { expect } from "vitest";
import { scatterRows } from "../../src/kernels/scatter_rows.ts";
import { gpuTest, randomNormal } from "../gpu.ts";
import { scatterRows as reference } from "../reference/scatter_rows.ts";

for (const [T, S, N] of [
  [1, 1, 1],
  [3, 7, 5],
  [20, 64, 64],
  [9, 9, 128],
] as const) {
  gpuTest(`scatter_rows [${T}, ${N}] to ${S} slots`, async ({ gpu, input, output }) => {
    const x = randomNormal("x", T * N);
    const start = randomNormal("start", S * N);
    const slots = Uint32Array.from({ length: T }, (_, t) => S - 1 - t);
    const y = output("y", [S, N], "f32", start);
    scatterRows(gpu, { x: input("x", [T, N], x), slots: input("slots", [T], slots) }, { y });
    expect([...(await gpu.read(y))]).toEqual([...reference(x, slots, start, N)]);
  });
}
