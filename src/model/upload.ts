// A model's tensors onto the GPU, some rows at a time: beside what stays, only a few megabytes are in memory at once.

import type { Gpu } from "../gpu/gpu.ts";
import { bytesOf, type Tensor } from "../gpu/tensor.ts";
import { GROUP } from "../gpu/weight_format.ts";
import { InputError } from "../input_error.ts";
import type { Matrix, Weight } from "./matrix.ts";
import { quantize } from "./quantize.ts";
import { f16BitsToF32 } from "./safetensors.ts";
import type { MatrixPlan, Shard, StoredPart, VectorPlan, WeightDtype } from "./weight_plan.ts";
import type { WeightFile } from "./weights.ts";

/** Values that are read and converted at once: 16 MiB as f32. */
const CHUNK_VALUES = 2 ** 22;
/** Bytes handed to the GPU before it is waited for: until then they lie in memory a second time. */
const BYTES_IN_FLIGHT = 2 ** 26;

/** One model's way onto the GPU. What was put there is freed by `undo`, so that nothing half-loaded stays behind. */
export class Upload {
  readonly #gpu: Gpu;
  readonly #file: WeightFile;
  readonly #loaded: Tensor[] = [];
  readonly #advise: (bytes: number) => string | null;
  #inFlight = 0;

  /** @param advise what to do where there is room for so many bytes alone; null: nothing in particular */
  constructor(gpu: Gpu, file: WeightFile, advise: (bytes: number) => string | null = () => null) {
    this.#gpu = gpu;
    this.#file = file;
    this.#advise = advise;
  }

  /** Frees all that was loaded. */
  undo(): void {
    for (const tensor of this.#loaded.splice(0)) this.#gpu.free(tensor);
  }

  /** Norms' weights or biases: f32 whatever the dtype, with f16's values where that is asked for. */
  async vector({ name, parts, shape }: VectorPlan, dtype: WeightDtype): Promise<Tensor> {
    const values: number[] = [];
    for (const part of parts) {
      const halves = dtype === "f16" && f16BitsToF32(await this.#file.readF16(part.name, part.shape));
      values.push(...(halves || (await this.#file.readF32(part.name, part.shape))));
    }
    return this.values(name, shape, Float32Array.from(values));
  }

  /** Values that are in no file. */
  async values(name: string, shape: readonly number[], values: Float32Array): Promise<Tensor> {
    const tensor = await this.#alloc(name, shape, "f32");
    await this.#write(tensor, 0, values);
    return tensor;
  }

  async matrix(plan: MatrixPlan): Promise<Matrix> {
    const matrix: Weight[] = [];
    for (const shard of plan.shards) matrix.push(await this.#shard(plan, shard));
    return matrix;
  }

  async #shard({ name, parts, shape, dtype }: MatrixPlan, { first, rows }: Shard): Promise<Weight> {
    const columns = shape[1];
    const quantised = dtype === "int8" || dtype === "int4";
    const data = await this.#alloc(name, [rows, columns], dtype);
    const scales = quantised ? await this.#alloc(`${name} scales`, [rows, columns / GROUP], "f32") : null;
    for (const { part, from, to, row } of chunksOf(parts, first, rows, Math.max(1, Math.floor(CHUNK_VALUES / columns)))) {
      const at = bytesOf([row, columns], dtype);
      if (dtype === "f16") {
        await this.#write(data, at, await this.#file.readF16(part.name, part.shape, [from, to]));
        continue;
      }
      const values = await this.#file.readF32(part.name, part.shape, [from, to]);
      if (!scales || !quantised) {
        await this.#write(data, at, values);
        continue;
      }
      const { words, scales: numbers } = quantize(values, dtype);
      await this.#write(data, at, words);
      await this.#write(scales, bytesOf([row, columns / GROUP], "f32"), numbers);
    }
    return { data, scales };
  }

  /** Allocates, and throws one sentence where the GPU has no room for it. */
  async #alloc(name: string, shape: readonly number[], dtype: Tensor["dtype"]): Promise<Tensor> {
    const tensor = this.#gpu.alloc(name, shape, dtype);
    this.#loaded.push(tensor);
    const refusal = await this.#gpu.refusals();
    if (refusal === null) return tensor;
    const bytes = this.#gpu.counters.bytes - tensor.bytes;
    const advice = this.#advise(bytes) ?? "use a smaller --dtype or model.";
    throw new InputError(`Loading ended after ${(bytes / 1e6).toFixed(0)} MB: ${refusal}: ${advice}`);
  }

  async #write(tensor: Tensor, at: number, values: Float32Array | Uint32Array | Uint16Array): Promise<void> {
    this.#gpu.write({ ...tensor, offset: tensor.offset + at, bytes: tensor.bytes - at }, inWords(values));
    this.#inFlight += values.byteLength;
    if (this.#inFlight < BYTES_IN_FLIGHT) return;
    await this.#gpu.device.queue.onSubmittedWorkDone();
    this.#inFlight = 0;
  }
}

interface Chunk {
  readonly part: StoredPart;
  /** Rows of the part. */
  readonly from: number;
  readonly to: number;
  /** The row of the shard that the first of them becomes. */
  readonly row: number;
}

/** A shard's rows, at most `chunkRows` of one part at a time. */
function chunksOf(parts: readonly StoredPart[], first: number, rows: number, chunkRows: number): Chunk[] {
  const chunks: Chunk[] = [];
  let start = 0; // of the part, in the whole matrix
  for (const part of parts) {
    const end = Math.min(part.shape[0]!, first + rows - start);
    for (let from = Math.max(0, first - start); from < end; from += chunkRows) {
      chunks.push({ part, from, to: Math.min(from + chunkRows, end), row: start + from - first });
    }
    start += part.shape[0]!;
  }
  return chunks;
}

/** Halves as the words that hold two each; an odd number of them gets a zero behind. */
function inWords(values: Float32Array | Uint32Array | Uint16Array): Float32Array | Uint32Array {
  if (!(values instanceof Uint16Array)) return values;
  if (values.length % 2 === 0) return new Uint32Array(values.buffer, values.byteOffset, values.length / 2);
  const even = new Uint16Array(values.length + 1);
  even.set(values);
  return new Uint32Array(even.buffer);
}
