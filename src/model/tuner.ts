// Chooses the tile of each class of products by timing the candidates once on an adapter. A candidate is trusted only where it gives
// the bits of the plain kernel, and that the product itself: so a choice changes the speed and never a result.

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import type { AdapterInfo } from "../gpu/device.ts";
import { type Gpu, GpuFailure } from "../gpu/gpu.ts";
import { shaders } from "../gpu/shaders.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { candidateTiles, classOf, PRODUCTS, type Product, TILES, type Tile, type TileChoices } from "../gpu/tiles.ts";
import { normal } from "../random.ts";
import { linearBackwardInTiles, linearInTiles } from "./matrix.ts";

/** Where choices are kept from one session to the next. */
export interface TileStore {
  read(key: string): Promise<string | null>;
  write(key: string, text: string): Promise<void>;
}

/** Rows of the products that are timed, one for each class. */
const ROWS = [8, 64, 512];
/** Their widths, Qwen2.5-Coder-0.5B's: choices are the adapter's, not a model's. */
const WIDTH = { C: 896, F: 4864 };
/** Rows, K and N of the product that is compared: no multiple of any tile. */
const CHECKED = [37, 100, 133] as const;
const ROUNDS = 3;
const TOLERANCE = 1e-7; // normalised mean square error, as in the kernels' tests

/** What choices hold for: this adapter, under this browser, with these kernels. */
export function tuningKey({ vendor, architecture, description }: AdapterInfo, runtime: string): string {
  const texts = [...shaders].filter(([name]) => name.startsWith("linear")).map(([name, code]) => `${name}\n${code}`);
  const kernels = bytesToHex(sha256(utf8ToBytes(texts.sort().join("\n")))).slice(0, 16);
  return [vendor, architecture, description, runtime, kernels].join("|");
}

/** A device that was opened. */
export interface Opened {
  readonly gpu: Gpu;
  readonly adapter: AdapterInfo;
}

/**
 * Opens a device and gives it the tiles that `tune` finds for it; on a processor the defaults, since compiling the candidates costs it
 * seconds. Where the GPU fails over a candidate, another device gets the defaults.
 * @param told gets a sentence about that
 */
export async function openTuned<T extends Opened>(
  open: () => Promise<T>,
  tune: (opened: T) => Promise<TileChoices>,
  told: (message: string) => void,
): Promise<T> {
  const opened = await open();
  const { gpu } = opened;
  if (gpu.software) return opened;
  try {
    gpu.tiles = await tune(opened);
    return opened;
  } catch (error) {
    gpu.destroy();
    if (!(error instanceof GpuFailure)) throw error;
    told(`The GPU failed while kernels were tried on it, so it takes the usual ones: ${error.message}`);
    return open();
  }
}

/** The stored choices, or measured ones, which are then stored. */
export async function tunedTiles(gpu: Gpu, key: string, store: TileStore, options: MeasureOptions = {}): Promise<TileChoices> {
  const stored = readTiles(await store.read(key));
  if (stored) return stored;
  const tiles = await measureTiles(gpu, options);
  await store.write(key, JSON.stringify(tiles));
  return tiles;
}

/** Choices as JSON, or null where the text is none: `kernels` of a run.json, or what a store had. */
export function readTiles(text: string | null): TileChoices | null {
  try {
    const value: unknown = JSON.parse(text ?? "null");
    if (typeof value !== "object" || value === null) return null;
    const entries = Object.entries(value).map(([name, tile]: [string, unknown]) => [name, TILES.find((t) => t === tile)] as const);
    return entries.every(([, tile]) => tile !== undefined) ? Object.fromEntries(entries.map(([name, tile]) => [name, tile!])) : null;
  } catch {
    return null; // no JSON: measured anew
  }
}

interface MeasureOptions {
  readonly C?: number;
  readonly F?: number;
  readonly rowCounts?: readonly number[];
  readonly signal?: AbortSignal | undefined;
}

/** Times the candidates at the widest layer of a model. */
export async function measureTiles(
  gpu: Gpu,
  { C = WIDTH.C, F = WIDTH.F, rowCounts = ROWS, signal }: MeasureOptions = {},
): Promise<TileChoices> {
  const choices: Record<string, Tile> = {};
  for (const product of PRODUCTS) {
    const trusted = await trustedTiles(gpu, product);
    for (const rows of rowCounts) {
      signal?.throwIfAborted();
      const [columns, inner] = product === "linear" ? [F, C] : [C, F];
      const name = classOf({ product, rows, columns, inner });
      if (name !== null) choices[name] = await fastest(gpu, product, trusted, { rows, K: C, N: F });
    }
  }
  return choices;
}

/** The candidates that give the plain kernel's bits, which are the product within rounding. */
export async function trustedTiles(gpu: Gpu, product: Product, candidates = candidateTiles(gpu)): Promise<Tile[]> {
  const [rows, K, N] = CHECKED;
  const buffers = allocate(gpu, { rows, K, N });
  const weight = randomValues(N * K, 1);
  const input = randomValues(rows * (product === "linear" ? K : N), 2);
  gpu.write(buffers.weight, weight);
  gpu.write(product === "linear" ? buffers.narrow : buffers.wide, input);
  const output = product === "linear" ? buffers.wide : buffers.narrow;
  const result = async (tile: Tile) => {
    multiplyOnce(gpu, product, buffers, tile);
    return (await gpu.read(output)).slice();
  };
  const plain = await result("4x4");
  const error = normalisedError(plain, product === "linear" ? forward(input, weight, CHECKED) : backward(input, weight, CHECKED));
  if (!(error <= TOLERANCE)) throw new Error(`this GPU computes ${product} wrongly: error ${error}, at most ${TOLERANCE} expected`);
  const trusted: Tile[] = [];
  for (const tile of candidates) if (sameBits(await result(tile), plain)) trusted.push(tile);
  release(gpu, buffers);
  return trusted;
}

async function fastest(gpu: Gpu, product: Product, tiles: readonly Tile[], shape: { rows: number; K: number; N: number }): Promise<Tile> {
  const buffers = allocate(gpu, shape);
  const done = { ...(product === "linear" ? buffers.wide : buffers.narrow), shape: [1], bytes: 4 };
  const times = new Map<Tile, number>();
  for (let round = 0; round <= ROUNDS; round++) {
    for (const tile of tiles) {
      const start = performance.now();
      multiplyOnce(gpu, product, buffers, tile);
      await gpu.read(done);
      const time = performance.now() - start;
      if (round > 0) times.set(tile, Math.min(times.get(tile) ?? Infinity, time)); // the first round compiles
    }
  }
  release(gpu, buffers);
  return [...times].sort(([, a], [, b]) => a - b)[0]?.[0] ?? "4x4";
}

interface Buffers {
  readonly wide: Tensor; // [rows, N]
  readonly narrow: Tensor; // [rows, K]
  readonly weight: Tensor; // [N, K]
}

function allocate(gpu: Gpu, { rows, K, N }: { rows: number; K: number; N: number }): Buffers {
  return { wide: gpu.alloc("wide", [rows, N]), narrow: gpu.alloc("narrow", [rows, K]), weight: gpu.alloc("weight", [N, K]) };
}

function release(gpu: Gpu, buffers: Buffers): void {
  for (const tensor of Object.values(buffers)) gpu.free(tensor);
}

function multiplyOnce(gpu: Gpu, product: Product, { wide, narrow, weight }: Buffers, tile: Tile): void {
  if (product === "linear") linearInTiles(gpu, { x: narrow, weight }, wide, {}, tile);
  else linearBackwardInTiles(gpu, { dy: wide, weight }, narrow, {}, tile);
}

const randomValues = (count: number, stream: number): Float32Array => Float32Array.from({ length: count }, (_, i) => normal(1, stream, i));

/** x [rows, K] weight [N, K]ᵀ in float64. */
function forward(x: Float32Array, weight: Float32Array, [rows, K, N]: typeof CHECKED): Float64Array {
  return Float64Array.from({ length: rows * N }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < K; k++) sum += x[Math.floor(i / N) * K + k]! * weight[(i % N) * K + k]!;
    return sum;
  });
}

/** dy [rows, N] weight [N, K] in float64. */
function backward(dy: Float32Array, weight: Float32Array, [rows, K, N]: typeof CHECKED): Float64Array {
  return Float64Array.from({ length: rows * K }, (_, i) => {
    let sum = 0;
    for (let n = 0; n < N; n++) sum += dy[Math.floor(i / K) * N + n]! * weight[n * K + (i % K)]!;
    return sum;
  });
}

function normalisedError(got: Float32Array, want: Float64Array): number {
  let error = 0;
  let power = 0;
  want.forEach((value, i) => {
    error += (got[i]! - value) ** 2;
    power += value ** 2;
  });
  return error / power;
}

const sameBits = (a: Float32Array, b: Float32Array): boolean => {
  const [x, y] = [new Uint32Array(a.buffer), new Uint32Array(b.buffer)];
  return x.every((word, i) => word === y[i]);
};
