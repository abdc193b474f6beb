// The products of a layer and of a chunk of the head, forward and backward, each in every tile.

import type { Gpu } from "../gpu/gpu.ts";
import { candidateTiles, type Tile } from "../gpu/tiles.ts";
import type { ModelConfig } from "../model/config.ts";
import { linearBackwardInTiles, linearInTiles } from "../model/matrix.ts";
import { type BenchRow, benchRow } from "./rows.ts";
import { secondsOf } from "./timing.ts";

export interface GemmShape {
  readonly name: string;
  readonly rows: number;
  readonly K: number;
  readonly N: number;
}

/** A product by another program: x [rows, K] times a weight [N, K]ᵀ, or dy [rows, N] times it. */
export interface GemmPeer {
  readonly name: string;
  seconds(shape: GemmShape, direction: "forward" | "backward"): Promise<number>;
}

/** The distinct shapes of a model's products for passes of T tokens, and a chunk of its head. */
export function gemmShapes({ C, F, heads, headSize, vocabulary }: ModelConfig, tokens: readonly number[]): GemmShape[] {
  const headColumns = Math.min(vocabulary, 16384);
  const layer = tokens.flatMap((rows) => [
    { name: "attention", rows, K: C, N: heads * headSize },
    { name: "up", rows, K: C, N: F },
    { name: "down", rows, K: F, N: C },
  ]);
  return [...layer, { name: "head chunk", rows: 64, K: C, N: headColumns }];
}

/** Rows for each shape and direction: the tile that the engine takes, and beside it the other tiles' rates. */
export async function benchGemm(
  gpu: Gpu,
  shapes: readonly GemmShape[],
  options: { peer: GemmPeer | null; tiles: boolean; say: (what: string) => void },
): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const shape of shapes) {
    for (const direction of ["forward", "backward"] as const) {
      options.say(`${shape.name} ${direction}, ${shape.rows} x ${shape.K} x ${shape.N}`);
      rows.push(await gemmRow(gpu, shape, direction, options));
    }
  }
  return rows;
}

async function gemmRow(
  gpu: Gpu,
  shape: GemmShape,
  direction: "forward" | "backward",
  { peer, tiles }: { peer: GemmPeer | null; tiles: boolean },
): Promise<BenchRow> {
  const { name, rows, K, N } = shape;
  const flops = 2 * rows * K * N;
  const chosen = gpu.tileOf({
    product: direction === "forward" ? "linear" : "linear_backward",
    rows,
    columns: direction === "forward" ? N : K,
    inner: direction === "forward" ? K : N,
  });
  const seconds = new Map<Tile, number>();
  for (const tile of tiles ? candidateTiles(gpu) : [chosen]) seconds.set(tile, await productSeconds(gpu, shape, direction, tile));
  const others = [...seconds].map(([tile, s]) => [tile, Number((flops / s / 1e9).toFixed(2))]);
  return benchRow(`${name} ${direction}`, `${rows}x${K}x${N}`, {
    flops,
    seconds: seconds.get(chosen) ?? (await productSeconds(gpu, shape, direction, chosen)),
    peer: peer && { name: peer.name, seconds: await peer.seconds(shape, direction) },
    details: { tile: chosen, ...(tiles ? Object.fromEntries(others) : {}) },
  });
}

/** Seconds of one product in the given tile. */
async function productSeconds(gpu: Gpu, { rows, K, N }: GemmShape, direction: "forward" | "backward", tile: Tile): Promise<number> {
  const wide = gpu.alloc("wide", [rows, N]);
  const narrow = gpu.alloc("narrow", [rows, K]);
  const weight = gpu.alloc("weight", [N, K]);
  const forward = () => linearInTiles(gpu, { x: narrow, weight }, wide, {}, tile);
  const backward = () => linearBackwardInTiles(gpu, { dy: wide, weight }, narrow, {}, tile);
  const seconds = await secondsOf(gpu, direction === "forward" ? wide : narrow, direction === "forward" ? forward : backward);
  for (const tensor of [wide, narrow, weight]) gpu.free(tensor);
  return seconds;
}
