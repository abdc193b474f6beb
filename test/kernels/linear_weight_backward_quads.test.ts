import { expect } from "vitest";
import { linearWeightBackward } from "../../src/kernels/linear_weight_backward.ts";
import { linearWeightBackwardQuads } from "../../src/kernels/linear_weight_backward_quads.ts";
import { weightBackward } from "../../src/model/backward.ts";
import { expectClose, gpuTest, randomNormal } from "../gpu.ts";
import { linearWeightBackwardQuads as reference } from "../reference/linear_weight_backward_quads.ts";

for (const [rows, K, N, first, all] of [
  [1, 4, 1, 0, 1],
  [7, 20, 3, 2, 6],
  [100, 128, 8, 0, 8],
  [65, 16, 331, 0, 331],
  [333, 36, 16, 5, 40],
  [4096, 8, 5, 0, 5],
] as const) {
  const name = `linear_weight_backward_quads [${rows}, ${N} of ${all}]ᵀ x [${rows}, ${K}]: the bits of linear_weight_backward`;
  gpuTest(name, async ({ gpu, input, output }) => {
    // Where an adapter cannot run the kernel, nothing may choose it.
    expect(weightBackward(gpu) === linearWeightBackwardQuads).toBe(gpu.software && gpu.subgroups);
    if (!gpu.subgroups) return;
    const values = { dy: randomNormal("dy", rows * all), x: randomNormal("x", rows * K), start: randomNormal("start", N * K) };
    const tensors = { dy: input("dy", [rows, all], values.dy), x: input("x", [rows, K], values.x) };
    const options = { scale: 0.5, shard: { first, rows: all } };
    const plain = output("plain", [N, K], "f32", values.start);
    linearWeightBackward(gpu, tensors, { dweight: plain }, options);
    const dweight = output("dweight", [N, K], "f32", values.start);
    linearWeightBackwardQuads(gpu, tensors, { dweight }, options);
    const got = await gpu.read(dweight);
    const own = values.dy.filter((_, i) => i % all >= first && i % all < first + N);
    expectClose(
      "dweight",
      got,
      reference(own, values.x, K, N, 0.5).map((v, i) => v + values.start[i]!),
    );
    expect(got).toEqual(await gpu.read(plain));
  });
}
