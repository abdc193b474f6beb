import { expect } from "vitest";
import { gatherRows } from "../../src/kernels/gather_rows.ts";
import { gpuTest, randomIntegers, randomNormal } from "../gpu.ts";
import { gatherRows as reference } from "../reference/gather_rows.ts";

for (const [T, M, C] of [
  [1, 1, 1],
  [5, 9, 3],
  [40, 33, 128],
  [7, 3, 896],
] as const) {
  gpuTest(`gather_rows, ${M} of [${T}, ${C}]`, async ({ gpu, input, output }) => {
    const x = randomNormal("x", T * C);
    const rows = randomIntegers("rows", M, T);
    const y = output("y", [M, C]);
    gatherRows(gpu, { x: input("x", [T, C], x), rows: input("rows", [M], rows) }, { y });
    expect([...(await gpu.read(y))]).toEqual([...reference(x, rows, C)]);
  });
}
