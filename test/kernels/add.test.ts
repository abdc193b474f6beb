import { expect } from "vitest";
import { add } from "../../src/kernels/add.ts";
import { expectClose, gpuTest, randomNormal } from "../gpu.ts";
import { add as reference } from "../reference/add.ts";

for (const shape of [
  [1, 1],
  [3, 331],
  [17, 128],
  [5, 896],
] as const) {
  gpuTest(`add [${shape}]`, async ({ gpu, input, output }) => {
    const a = randomNormal("a", shape[0] * shape[1]);
    const b = randomNormal("b", shape[0] * shape[1]);
    const y = output("y", shape);
    add(gpu, { a: input("a", shape, a), b: input("b", shape, b) }, { y });
    expectClose("y", await gpu.read(y), reference(a, b));
  });
}

gpuTest("add names the tensor whose shape is wrong", async ({ gpu, input, output }) => {
  const a = input("a", [2, 3], new Float32Array(6));
  const b = input("b", [3, 2], new Float32Array(6));
  expect(() => add(gpu, { a, b }, { y: output("y", [2, 3]) })).toThrow("b has shape [3, 2], expected [2, 3]");
});
