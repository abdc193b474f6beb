import { expect, test } from "vitest";
import { gatherRowsBackward } from "../../src/kernels/gather_rows_backward.ts";
import { expectClose, finiteDifferences, gpuTest, randomIntegers, randomNormal } from "../gpu.ts";
import { gatherRows } from "../reference/gather_rows.ts";
import { gatherRowsBackward as reference } from "../reference/gather_rows_backward.ts";

/** Rows sorted by the token they were gathered from, and where each token's rows begin. */
function byToken(rows: Uint32Array, T: number): { order: Uint32Array; starts: Uint32Array } {
  const order = Uint32Array.from(Array.from(rows.keys()).sort((a, b) => rows[a]! - rows[b]! || a - b));
  const starts = Uint32Array.from({ length: T + 1 }, (_, t) => rows.filter((row) => row < t).length);
  return { order, starts };
}

for (const [T, M, C] of [
  [1, 1, 1],
  [5, 9, 3],
  [40, 33, 128],
  [7, 3, 896],
] as const) {
  gpuTest(`gather_rows_backward, ${M} of [${T}, ${C}]`, async ({ gpu, input, output }) => {
    const { order, starts } = byToken(randomIntegers("rows", M, T), T);
    const dy = randomNormal("dy", M * C);
    const weight = randomNormal("weight", M);
    const tensors = {
      dy: input("dy", [M, C], dy),
      weight: input("weight", [M], weight),
      order: input("order", [M], order),
      starts: input("starts", [T + 1], starts),
    };
    const dx = output("dx", [T, C]);
    gatherRowsBackward(gpu, tensors, { dx });
    expectClose("dx", await gpu.read(dx), reference(dy, weight, order, starts, C));
  });
}

test("the reference agrees with finite differences", () => {
  const [T, M, C] = [4, 6, 2];
  const rows = randomIntegers("rows", M, T);
  const dy = randomNormal("dy", M * C);
  const weight = randomNormal("weight", M);
  const { order, starts } = byToken(rows, T);
  const f = (x: Float64Array) => gatherRows(x, rows, C).reduce((sum, y, i) => sum + weight[Math.floor(i / C)]! * y * dy[i]!, 0);
  const dx = reference(dy, weight, order, starts, C);
  finiteDifferences(Float64Array.from(randomNormal("x", T * C)), f).forEach((d, i) => {
    expect(dx[i]).toBeCloseTo(d, 8);
  });
});
