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

/** What a test allocates here is freed after it, and its outputs' sentinels are checked. */
export class Bench {
  readonly gpu: Gpu;
  #allocated: Tensor[] = [];
  #outputs: Tensor[] = [];

  constructor(gpu: Gpu) {
    this.gpu = gpu;
  }

  input(name: string, shape: readonly number[], data: Float32Array | Uint32Array): Tensor {
    expect(data.length, `${name}'s length`).toBe(numel(shape));
    return this.#keep(this.gpu.upload(name, shape, data));
  }

  /** An output that shaders see with 64 sentinels behind it: a kernel that writes past its end is caught. */
  output(name: string, shape: readonly number[], dtype: Dtype = "f32", start?: Float32Array | Uint32Array): Tensor {
    const words = bytesOf(shape, dtype) / 4;
    const whole = this.#keep(this.gpu.alloc(name, [words + SENTINELS], dtype));
    this.gpu.write(whole, new Float32Array(words + SENTINELS).fill(SENTINEL));
    if (start) this.gpu.write(whole, start);
    const tensor = { ...whole, shape };
    this.#outputs.push(tensor);
    return tensor;
  }

  #keep(tensor: Tensor): Tensor {
    this.#allocated.push(tensor);
    return tensor;
  }

  async finish(): Promise<void> {
    for (const tensor of this.#outputs) {
      const words = bytesOf(tensor.shape, tensor.dtype) / 4;
      const behind = (await this.gpu.read({ ...tensor, shape: [words + SENTINELS] })).subarray(words);
      expect(
        behind.every((v) => v === Math.fround(SENTINEL)),
        `${tensor.name}: written past its end`,
      ).toBe(true);
    }
    for (const tensor of this.#allocated) this.gpu.free(tensor);
  }
}

/** A test on the GPU. Fails on a validation error and on a buffer left behind. */
export function gpuTest(name: string, run: (bench: Bench) => Promise<void>): void {
  test(name, async () => {
    const before = gpu.counters.buffers;
    const bench = new Bench(gpu);
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
