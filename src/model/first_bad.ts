// Which tensor went bad first: a pass is run again with every dispatch looked at. NaN and infinity are told by their bits.
import type { Gpu } from "../gpu/gpu.ts";
import { numel, type Tensor } from "../gpu/tensor.ts";
import { sumOfSquares } from "../kernels/sum_of_squares.ts";
import { sumPartials } from "../kernels/sum_partials.ts";

const PARTIALS = 256;
/** Outputs that one pass may have; a slot takes the 256 bytes at which a binding may begin. */
const SLOTS = 16_384;
const SLOT_BYTES = 256;

interface Written {
  readonly dispatch: number;
  readonly kernel: string;
  readonly tensor: string;
}

/**
 * The first tensor of a pass that holds NaN or infinity, in words; null where none does.
 * @param pass does the same dispatches whenever it is called
 */
export async function firstBadTensor(gpu: Gpu, pass: () => Promise<unknown>): Promise<string | null> {
  const bad = await firstBadOutput(gpu, pass);
  if (!bad) return null;
  const input = await badInput(gpu, pass, bad.dispatch);
  return input === null ? `${bad.tensor} (written by ${bad.kernel})` : `${input} (read by ${bad.kernel})`;
}

async function firstBadOutput(gpu: Gpu, pass: () => Promise<unknown>): Promise<Written | null> {
  const partials = gpu.alloc("partial sums", [PARTIALS, 2]);
  const log = gpu.alloc("bad values", [(SLOTS * SLOT_BYTES) / 4]);
  const slot = (i: number): Tensor => ({ ...log, shape: [2], offset: i * SLOT_BYTES, bytes: 8 });
  const written: Written[] = [];
  let dispatch = 0;
  const look = (kernel: string, _inputs: readonly Tensor[], outputs: readonly Tensor[]) => {
    dispatch += 1;
    gpu.watcher = null; // its own dispatches are not looked at
    for (const tensor of outputs.filter(({ dtype }) => dtype === "f32")) {
      if (written.length === SLOTS) break;
      sumOfSquares(gpu, { x: { ...tensor, shape: [numel(tensor.shape)] } }, { partials });
      sumPartials(gpu, { partials }, { sums: slot(written.length) });
      written.push({ dispatch, kernel, tensor: tensor.name });
    }
    gpu.watcher = look;
  };
  try {
    gpu.watcher = look;
    await pass();
    gpu.watcher = null;
    const counts = await gpu.read(log);
    return written.find((_, i) => counts[(i * SLOT_BYTES) / 4 + 1]! > 0) ?? null;
  } finally {
    gpu.watcher = null;
    gpu.free(partials);
    gpu.free(log);
  }
}

class Reached extends Error {}

/** An input of the n-th dispatch that was bad before it: a weight, say, since what the pass itself wrote until then was not. */
async function badInput(gpu: Gpu, pass: () => Promise<unknown>, n: number): Promise<string | null> {
  let found: readonly Tensor[] = [];
  let dispatch = 0;
  gpu.watcher = (_kernel, inputs) => {
    dispatch += 1;
    if (dispatch < n) return;
    found = inputs;
    throw new Reached();
  };
  try {
    await pass();
  } catch (error) {
    if (!(error instanceof Reached)) throw error;
  } finally {
    gpu.watcher = null;
  }
  for (const tensor of found) if (await isBad(gpu, tensor)) return tensor.name;
  return null;
}

async function isBad(gpu: Gpu, tensor: Tensor): Promise<boolean> {
  const words = await gpu.readU32(tensor);
  if (tensor.dtype === "f32") return words.some((word) => (word & 0x7fffffff) >>> 0 >= 0x7f800000);
  if (tensor.dtype === "f16") return words.some((word) => (word & 0x7fff) >= 0x7c00 || ((word >>> 16) & 0x7fff) >= 0x7c00);
  return false;
}
