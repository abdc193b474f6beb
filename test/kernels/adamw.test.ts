import { expect, test } from "vitest";
import { adamw } from "../../src/kernels/adamw.ts";
import { type Bench, expectClose, gpuTest, randomNormal } from "../gpu.ts";
import { type AdamwOptions, type AdamwState, adamw as reference } from "../reference/adamw.ts";
import { sumOfSquares } from "../reference/sum_of_squares.ts";

const OPTIONS: AdamwOptions = { learningRate: 1e-2, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, maxGradNorm: 0 };

const startOf = (n: number): AdamwState => ({
  parameter: Float64Array.from(randomNormal("parameter", n)),
  exp_avg: new Float64Array(n),
  exp_avg_sq: new Float64Array(n),
});

/** Takes a step per gradient on the GPU; gives the outputs. */
function runSteps({ gpu, input, output }: Bench, gradients: readonly Float32Array[], options: AdamwOptions) {
  const n = gradients[0]!.length;
  const outputs = {
    parameter: output("parameter", [n], "f32", randomNormal("parameter", n)),
    exp_avg: output("exp_avg", [n], "f32", new Float32Array(n)),
    exp_avg_sq: output("exp_avg_sq", [n], "f32", new Float32Array(n)),
  };
  gradients.forEach((gradient, i) => {
    const norm = input("norm", [2], Float32Array.from(sumOfSquares(gradient)));
    const corrections = { biasCorrection1: 1 - options.beta1 ** (i + 1), biasCorrection2: 1 - options.beta2 ** (i + 1) };
    adamw(gpu, { gradient: input("gradient", [n], gradient), norm }, outputs, { ...options, ...corrections });
  });
  return outputs;
}

for (const [n, change] of [
  [1, {}],
  [331, { weightDecay: 0.1 }],
  [2000, { maxGradNorm: 1 }],
  [2000, { maxGradNorm: 1e6, beta1: 0.8, beta2: 0.99, eps: 1e-3 }],
] as const) {
  gpuTest(`adamw, five steps of ${n} entries ${JSON.stringify(change)}`, async (bench) => {
    const options = { ...OPTIONS, ...change };
    const gradients = Array.from({ length: 5 }, (_, i) => randomNormal(`gradient ${i}`, n));
    const got = runSteps(bench, gradients, options);
    const want = gradients.reduce((state, gradient, i) => reference(state, gradient, i + 1, options), startOf(n));
    for (const name of ["parameter", "exp_avg", "exp_avg_sq"] as const) expectClose(name, await bench.gpu.read(got[name]), want[name]);
  });
}

for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 3e38]) {
  gpuTest(`adamw changes nothing when a gradient is ${value}, whose square is not finite`, async (bench) => {
    const gradient = randomNormal("gradient", 70);
    gradient[50] = value;
    const { parameter, exp_avg } = runSteps(bench, [gradient], OPTIONS);
    expect(await bench.gpu.read(parameter)).toEqual(randomNormal("parameter", 70));
    expect(await bench.gpu.read(exp_avg)).toEqual(new Float32Array(70));
  });
}

test("the reference's first step is the learning rate, by the gradient's sign", () => {
  const { parameter } = reference(startOf(2), [0.5, -3], 1, OPTIONS);
  const start = startOf(2).parameter;
  expect(parameter[0]! - start[0]!).toBeCloseTo(-0.01, 8);
  expect(parameter[1]! - start[1]!).toBeCloseTo(0.01, 8);
});
