// The harness of every test that runs on a GPU: in Node on Dawn, in Chromium through navigator.gpu. It fails where there is no adapter.
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDevice } from "../src/gpu/device.ts";
import { Gpu } from "../src/gpu/gpu.ts";
import { bytesOf, type Dtype, numel, type Tensor } from "../src/gpu/tensor.ts";
import { normal, streamOf, uniform } from "../src/random.ts";

let gpu: Gpu;

beforeAll(async () => {
  gpu = new Gpu((await openDevice()).device);
});

afterAll(() => gpu?.destroy());

const SENTINEL = 123456.789;
const SENTINELS = 64;

/** What a test is given: tensors allocated here are freed after it, and the outputs' sentinels are checked. */
export interface Bench {
  readonly gpu: Gpu;
  input(name: string, shape: readonly number[], data: Float32Array | Uint32Array): Tensor;
  /** An output that shaders see with 64 sentinels behind it: a kernel that writes past its end is caught. */
  output(name: string, shape: readonly number[], dtype?: Dtype, start?: Float32Array | Uint32Array): Tensor;
}

function openBench(gpu: Gpu): Bench & { finish(): Promise<void> } {
  const allocated: Tensor[] = [];
  const outputs: Tensor[] = [];
  const wordsOf = (t: Tensor) => bytesOf(t.shape, t.dtype) / 4;
  return {
    gpu,
    input(name, shape, data) {
      expect(data.length, `${name}'s length`).toBe(numel(shape));
      const tensor = gpu.upload(name, shape, data);
      allocated.push(tensor);
      return tensor;
    },
    output(name, shape, dtype = "f32", start) {
      const words = bytesOf(shape, dtype) / 4;
      const whole = gpu.alloc(name, [words + SENTINELS]);
      gpu.write(whole, new Float32Array(words + SENTINELS).fill(SENTINEL));
      if (start) gpu.write(whole, start);
      const tensor = { ...whole, shape, dtype };
      allocated.push(whole);
      outputs.push(tensor);
      return tensor;
    },
    async finish() {
      for (const tensor of outputs) {
        const words = wordsOf(tensor);
        const behind = (await gpu.read({ ...tensor, shape: [words + SENTINELS] })).subarray(words);
        const untouched = behind.every((v) => v === Math.fround(SENTINEL));
        expect(untouched, `${tensor.name}: nothing written past its end`).toBe(true);
      }
      for (const tensor of allocated) gpu.free(tensor);
    },
  };
}

/** A test on the GPU. Fails on a validation error and on a buffer left behind. */
export function gpuTest(name: string, run: (bench: Bench) => Promise<void>): void {
  test(name, async () => {
    const before = gpu.counters.buffers;
    const bench = openBench(gpu);
    await run(bench);
    await bench.finish();
    expect(gpu.counters.buffers, "buffers left behind").toBe(before);
  });
}

/** `n` normal numbers, the same for the same name. */
export const randomNormal = (name: string, n: number, scale = 1): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => scale * normal(1, streamOf(name), i));

/** `n` integers in [0, below), the same for the same name. */
export const randomIntegers = (name: string, n: number, below: number): Uint32Array =>
  Uint32Array.from({ length: n }, (_, i) => Math.floor(uniform(1, streamOf(name), i) * below));

/** Rows of F values of `a`, each with the same row of `b` behind it. */
export const sideBySide = (a: Float32Array, b: Float32Array, F: number): Float32Array =>
  Float32Array.from({ length: a.length + b.length }, (_, i) => (i % (2 * F) < F ? a : b)[Math.floor(i / (2 * F)) * F + (i % F)]!);

/** Sum of squared errors over sum of squares: the measure of every kernel test. */
export function nmse(got: ArrayLike<number>, want: ArrayLike<number>): number {
  let error = 0;
  let power = 0;
  for (let i = 0; i < want.length; i++) {
    error += (got[i]! - want[i]!) ** 2;
    power += want[i]! ** 2;
  }
  return power === 0 ? error : error / power;
}

/** The largest distance of two lists; asserts that they have the same length. */
export function largestDistance(got: ArrayLike<number>, want: ArrayLike<number>): number {
  expect(got.length).toBe(want.length);
  let distance = 0;
  for (let i = 0; i < want.length; i++) distance = Math.max(distance, Math.abs(got[i]! - want[i]!));
  return distance;
}

/** Asserts the same length and a normalised mean square error within `tolerance` (1e-7 unless told: float32 storage). */
export function expectClose(name: string, got: ArrayLike<number>, want: ArrayLike<number>, tolerance = 1e-7): void {
  expect(got.length, `${name}'s length`).toBe(want.length);
  const error = nmse(got, want);
  expect(error <= tolerance, `${name}: NMSE ${error.toExponential(2)}, allowed ${tolerance}`).toBe(true);
}

/** Central differences of the scalar `f` at `x`, in float64: what a backward reference is checked against. */
export function finiteDifferences(x: Float64Array, f: (x: Float64Array) => number, h = 1e-5): Float64Array {
  return x.map((value, i) => {
    const at = (v: number) => f(x.map((other, j) => (j === i ? v : other)));
    return (at(value + h) - at(value - h)) / (2 * h);
  });
}
