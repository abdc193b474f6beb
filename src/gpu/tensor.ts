export type Dtype = "f32" | "f16" | "int8" | "int4" | "u32";

/** A typed range of GPU memory, row-major. f16, int8 and int4 are packed into 32-bit words, the first value in the lowest bits. */
export interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  readonly buffer: GPUBuffer;
  /** Where the range begins, in bytes: a multiple of 256. */
  readonly offset: number;
  /** Length of the range that shaders see, in bytes: a multiple of 4. */
  readonly bytes: number;
}

const BYTES = { f32: 4, f16: 2, int8: 1, int4: 0.5, u32: 4 };

export const numel = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** Bytes of a tensor, rounded up to whole 32-bit words. */
export const bytesOf = (shape: readonly number[], dtype: Dtype): number => Math.ceil((numel(shape) * BYTES[dtype]) / 4) * 4;

/** Throws a sentence naming the tensor unless its shape is the expected one. */
export function expectShape(t: Tensor, shape: readonly number[]): void {
  if (t.shape.join() !== shape.join()) throw new Error(`${t.name} has shape [${t.shape.join(", ")}], expected [${shape.join(", ")}]`);
}
