// An adapter folded into its base: W + scale * B A, file by file and some rows at a time, so that a model larger than memory fits.

import { InputError } from "../input_error.ts";
import type { ModelConfig } from "./config.ts";
import { type AdapterFile, adapterTensorName, loraScale } from "./peft.ts";
import {
  type ByteSource,
  type Dtype,
  f32ToBf16Bits,
  f32ToF16Bits,
  readSafetensorsHeader,
  readTensorF32,
  safetensorsHeader,
  type TensorInfo,
  tensorBytes,
} from "./safetensors.ts";
import { PROJECTIONS, projectionPath } from "./weight_shapes.ts";

/** How merged weights can be stored. */
export type MergedDtype = "F32" | "F16" | "BF16";

/** A projection's two factors: A is [r, inputs], B is [outputs, r]. */
interface Factors {
  readonly A: Float32Array;
  readonly B: Float32Array;
  readonly r: number;
  readonly scale: number;
}

/** Values that are held at once. */
const CHUNK_VALUES = 1 << 22;

/** The factors by the names of the base's weights. */
export function factorsByWeight({ config, tensors }: AdapterFile, { layers }: ModelConfig): Map<string, Factors> {
  const factors = new Map<string, Factors>();
  for (let layer = 0; layer < layers; layer++) {
    for (const projection of PROJECTIONS) {
      const A = tensors.get(adapterTensorName(layer, projection, "A"))?.data;
      const B = tensors.get(adapterTensorName(layer, projection, "B"))?.data;
      if (!A || !B) continue;
      factors.set(`model.layers.${layer}.${projectionPath(projection)}.weight`, { A, B, r: config.r, scale: loraScale(config) });
    }
  }
  return factors;
}

/** A file to be written piece by piece. */
export interface MergedFile {
  /** Of its tensors, without the header. */
  readonly tensorBytes: number;
  /** The header, then the tensors. Throws an InputError where a merged value does not fit its dtype. */
  readonly pieces: AsyncGenerator<Uint8Array>;
}

/**
 * A safetensors file of the base with the adapter folded in: the same tensors in the same order.
 * @param factors of the weights that the adapter changes, by name
 * @param dtype of every floating-point tensor; null: as it is stored
 * @throws InputError where the file is damaged
 */
export async function mergeFile(source: ByteSource, factors: ReadonlyMap<string, Factors>, dtype: MergedDtype | null): Promise<MergedFile> {
  const { tensors, metadata } = await readSafetensorsHeader(source);
  const plan = [...tensors.values()].map((info) => ({ info, dtype: isFloat(info.dtype) ? (dtype ?? info.dtype) : info.dtype }));
  const header = safetensorsHeader(
    plan.map(({ info: { name, shape }, dtype }) => ({ name, dtype, shape })),
    metadata,
  );
  return {
    tensorBytes: plan.reduce((bytes, { info, dtype }) => bytes + tensorBytes(dtype, info.shape), 0),
    pieces: (async function* () {
      yield header;
      for (const { info, dtype } of plan) {
        const changed = factors.get(info.name);
        if (isFloat(dtype) && (changed || dtype !== info.dtype)) yield* convertedRows(source, info, dtype, changed);
        else yield* copied(source, info);
      }
    })(),
  };
}

function isFloat(dtype: Dtype): dtype is MergedDtype {
  return dtype === "F32" || dtype === "F16" || dtype === "BF16";
}

async function* copied(source: ByteSource, { begin, end }: TensorInfo): AsyncGenerator<Uint8Array> {
  for (let from = begin; from < end; from += 4 * CHUNK_VALUES) yield source.slice(from, Math.min(from + 4 * CHUNK_VALUES, end));
}

/** A tensor in another dtype, with an adapter's product added where it has one; whole rows at a time. */
async function* convertedRows(
  source: ByteSource,
  info: TensorInfo,
  dtype: MergedDtype,
  factors: Factors | undefined,
): AsyncGenerator<Uint8Array> {
  const [rows = 1, ...rest] = info.shape;
  const width = rest.reduce((product, size) => product * size, 1);
  const rowBytes = (info.end - info.begin) / rows;
  const step = Math.max(1, Math.floor(CHUNK_VALUES / width));
  for (let row = 0; row < rows; row += step) {
    const end = Math.min(row + step, rows);
    const piece = { ...info, begin: info.begin + row * rowBytes, end: info.begin + end * rowBytes };
    const values = await readTensorF32(source, piece);
    if (factors) addProduct(values, row, width, factors);
    yield stored(values, dtype, `${source.name}: tensor "${info.name}"`);
  }
}

/** values += scale * B A for the rows from `firstRow` on, each sum in double precision and rounded once. */
function addProduct(values: Float32Array, firstRow: number, width: number, { A, B, r, scale }: Factors): void {
  const sums = new Float64Array(width);
  for (let row = 0; row * width < values.length; row++) {
    sums.fill(0);
    for (let k = 0; k < r; k++) {
      const factor = scale * B[(firstRow + row) * r + k]!;
      for (let i = 0; i < width; i++) sums[i]! += factor * A[k * width + i]!;
    }
    for (let i = 0; i < width; i++) values[row * width + i]! += sums[i]!;
  }
}

/** The bytes of values in a dtype, all of them finite. */
function stored(values: Float32Array<ArrayBuffer>, dtype: MergedDtype, name: string): Uint8Array {
  const data = dtype === "F32" ? values : dtype === "F16" ? f32ToF16Bits(values) : f32ToBf16Bits(values);
  const exponent = dtype === "F16" ? 0x7c00 : 0x7f80; // all its bits set: infinite or no number
  const wrong = data.findIndex((value) => (dtype === "F32" ? !Number.isFinite(value) : (value & exponent) === exponent));
  if (wrong >= 0) throw new InputError(`${name}: expected finite values, found ${values[wrong]}, which ${dtype} cannot hold.`);
  return new Uint8Array(data.buffer);
}
