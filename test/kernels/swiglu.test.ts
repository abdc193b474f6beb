import { swiglu } from "../../src/kernels/swiglu.ts";
import { expectClose, gpuTest, randomNormal, sideBySide } from "../gpu.ts";
import { swiglu as reference } from "../reference/swiglu.ts";

for (const [T, F] of [
  [1, 1],
  [3, 331],
  [40, 384],
  [2, 4864],
] as const) {
  gpuTest(`swiglu [${T}, ${F}]`, async ({ gpu, input, output }) => {
    const gate = randomNormal("gate", T * F, 4);
    const up = randomNormal("up", T * F);
    const y = output("y", [T, F]);
    swiglu(gpu, { gate_up: input("gate and up", [T, 2 * F], sideBySide(gate, up, F)) }, { y });
    expectClose("y", await gpu.read(y), reference(gate, up));
  });
}

gpuTest("swiglu of a very large gate is the gate or nothing, never NaN", async ({ gpu, input, output }) => {
  const gate = Float32Array.of(-3e38, -1000, -90, 90, 1000, 3e38);
  const y = output("y", [1, 6]);
  swiglu(gpu, { gate_up: input("gate and up", [1, 12], sideBySide(gate, new Float32Array(6).fill(1), 6)) }, { y });
  expectClose(
    "y",
    Array.from(await gpu.read(y)).map((v) => v / 1e30),
    [0, 0, 0, 9e-29, 1e-27, 3e8],
  );
});
