// LoRA (Hu et al. 2021) as PEFT has it: y += scale * x Aᵀ Bᵀ beside each targeted projection, scale = lora_alpha / r
// (rslora: / sqrt r). All A and B lie in one arena, and so do their gradients: clipping and AdamW are one dispatch each.

import type { Gpu } from "../gpu/gpu.ts";
import { bytesOf, type Tensor } from "../gpu/tensor.ts";
import { streamOf, uniform } from "../random.ts";
import type { ModelConfig } from "./config.ts";
import type { Model } from "./model.ts";
import { type AdapterFile, adapterTensorName, type LoraConfig, loraScale } from "./peft.ts";
import { PROJECTIONS, type Projection, projectionShape } from "./weight_shapes.ts";

/** One projection's pair. R is r rounded up to a multiple of 4; the rows and columns beyond r are zero and stay zero. */
export interface LoraPair {
  readonly A: Tensor; // [R, in]
  readonly B: Tensor; // [out, R]
  readonly dA: Tensor; // [R, in]
  readonly dB: Tensor; // [out, R]
}

export interface Adapter {
  readonly config: LoraConfig;
  readonly R: number;
  readonly scale: number;
  /** Per layer, the pairs of the targeted projections. */
  readonly layers: readonly Partial<Record<Projection, LoraPair>>[];
  readonly parameters: Tensor; // the arena of all A and B
  readonly gradients: Tensor; // the same layout
}

const ALIGNMENT = 256; // a binding's offset

/** An adapter as PEFT initialises it: A uniform in ±1/sqrt(in) (Kaiming with a = sqrt 5), B zero. Draws are keyed by PEFT's tensor name. */
export function createAdapter(gpu: Gpu, model: Model, config: LoraConfig, seed: number): Adapter {
  const adapter = allocate(gpu, model, config);
  const values = new Float32Array(adapter.parameters.bytes / 4);
  for (const { name, tensor, rows, columns } of entries(adapter)) {
    if (!name.includes("lora_A")) continue;
    const stream = streamOf(`lora/${name}`);
    const bound = 1 / Math.sqrt(columns);
    for (let i = 0; i < rows * columns; i++) values[tensor.offset / 4 + i] = (2 * uniform(seed, stream, i) - 1) * bound;
  }
  gpu.write(adapter.parameters, values);
  return adapter;
}

/** An adapter from a PEFT file that was checked against the model (readAdapter). */
export function adapterFromFile(gpu: Gpu, model: Model, file: AdapterFile): Adapter {
  const adapter = allocate(gpu, model, file.config);
  writeAdapterWeights(gpu, adapter, file.tensors);
  return adapter;
}

/** Overwrites the adapter's weights with those of PEFT tensors of the same names and shapes. */
export function writeAdapterWeights(gpu: Gpu, adapter: Adapter, tensors: AdapterFile["tensors"]): void {
  writeArena(gpu, adapter, adapter.parameters, tensors);
}

/** Overwrites an arena of the adapter's layout (its parameters, gradients, moments) with tensors by PEFT's names. */
export function writeArena(gpu: Gpu, adapter: Adapter, arena: Tensor, tensors: AdapterFile["tensors"]): void {
  const values = new Float32Array(adapter.parameters.bytes / 4);
  for (const { name, tensor, rows, columns, width } of entries(adapter)) {
    const source = tensors.get(name);
    if (!source) throw new Error(`the adapter has no tensor ${name}`);
    for (let i = 0; i < rows; i++) values.set(source.data.subarray(i * columns, (i + 1) * columns), tensor.offset / 4 + i * width);
  }
  gpu.write(arena, values);
}

/** The adapter's weights by PEFT's names, without padding. */
export async function adapterToFile(gpu: Gpu, adapter: Adapter): Promise<AdapterFile> {
  return { config: adapter.config, tensors: await readArena(gpu, adapter, adapter.parameters) };
}

/** The gradients of the last backward pass by PEFT's names, without padding. */
export async function adapterGradients(gpu: Gpu, adapter: Adapter): Promise<AdapterFile["tensors"]> {
  return readArena(gpu, adapter, adapter.gradients);
}

/** An arena of the adapter's layout by PEFT's names, without padding. */
export async function readArena(gpu: Gpu, adapter: Adapter, arena: Tensor): Promise<AdapterFile["tensors"]> {
  return named(adapter, await gpu.read(flat(arena)));
}

export function freeAdapter(gpu: Gpu, { parameters, gradients }: Adapter): void {
  gpu.free(parameters);
  gpu.free(gradients);
}

interface Place {
  readonly offset: number;
  readonly shape: readonly number[];
  readonly bytes: number;
}

/** LoRA's padded rank: kernels read four values at once. */
export const paddedRank = (r: number): number => Math.ceil(r / 4) * 4;

/** Where each A and B lies in its arena, layer by layer, and the arena's size. */
function layOut(model: ModelConfig, { r, target_modules }: Pick<LoraConfig, "r" | "target_modules">) {
  const R = paddedRank(r);
  const targets = PROJECTIONS.filter((projection) => target_modules.includes(projection));
  let bytes = 0;
  const place = (shape: readonly number[]): Place => {
    const offset = bytes;
    bytes = Math.ceil((bytes + bytesOf(shape, "f32")) / ALIGNMENT) * ALIGNMENT;
    return { offset, shape, bytes: bytesOf(shape, "f32") };
  };
  const layers = Array.from({ length: model.layers }, () =>
    targets.map((projection) => {
      const [out, columns] = projectionShape(model, projection);
      return { projection, A: place([R, columns]), B: place([out, R]) };
    }),
  );
  return { layers, bytes };
}

/** Bytes of an adapter's parameters; its gradients take the same again. */
export const adapterBytes = (model: ModelConfig, lora: Pick<LoraConfig, "r" | "target_modules">): number => layOut(model, lora).bytes;

function allocate(gpu: Gpu, model: Model, config: LoraConfig): Adapter {
  const { layers: places, bytes } = layOut(model.config, config);
  const parameters = gpu.alloc("lora parameters", [bytes / 4]);
  const gradients = gpu.alloc("lora gradients", [bytes / 4]);
  const layers = places.map((layer, i) => {
    const pairs: Partial<Record<Projection, LoraPair>> = {};
    for (const { projection, A, B } of layer) {
      const name = `layers.${i}.${projection}`;
      pairs[projection] = {
        A: { ...parameters, ...A, name: `${name}.lora_A` },
        B: { ...parameters, ...B, name: `${name}.lora_B` },
        dA: { ...gradients, ...A, name: `${name}.lora_A gradient` },
        dB: { ...gradients, ...B, name: `${name}.lora_B gradient` },
      };
    }
    return pairs;
  });
  return { config, R: paddedRank(config.r), scale: loraScale(config), layers, parameters, gradients };
}

interface Entry {
  readonly name: string;
  readonly tensor: Tensor;
  /** PEFT's shape, and the width of a stored row. */
  readonly rows: number;
  readonly columns: number;
  readonly width: number;
}

/** Every A and B with its PEFT name. */
function entries({ layers, config: { r }, R }: Adapter): Entry[] {
  return layers.flatMap((pairs, i) =>
    PROJECTIONS.flatMap((projection) => {
      const pair = pairs[projection];
      if (!pair) return [];
      const columns = pair.A.shape[1]!;
      return [
        { name: adapterTensorName(i, projection, "A"), tensor: pair.A, rows: r, columns, width: columns },
        { name: adapterTensorName(i, projection, "B"), tensor: pair.B, rows: pair.B.shape[0]!, columns: r, width: R },
      ];
    }),
  );
}

function named(adapter: Adapter, values: Float32Array): AdapterFile["tensors"] {
  const tensors: AdapterFile["tensors"] = new Map();
  for (const { name, tensor, rows, columns, width } of entries(adapter)) {
    const data = new Float32Array(rows * columns);
    for (let i = 0; i < rows; i++)
      data.set(values.subarray(tensor.offset / 4 + i * width, tensor.offset / 4 + i * width + columns), i * columns);
    tensors.set(name, { shape: [rows, columns], data });
  }
  return tensors;
}

const flat = (arena: Tensor): Tensor => ({ ...arena, shape: [arena.bytes / 4] });
