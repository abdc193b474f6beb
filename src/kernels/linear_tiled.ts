import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { type LinearInputs, type LinearOptions, linearCall } from "./linear.ts";

/** Rows (a multiple of 16) and columns (of 64) of the output that one workgroup computes; at most 128 x 128, which takes 16 KB. */
export interface WorkgroupTile {
  readonly tileRows: number;
  readonly tileColumns: number;
}

/** What linear gives, to the bit, computed tile by tile in workgroup memory: for graphics cards and many rows. */
export function linearTiled(
  gpu: Gpu,
  inputs: LinearInputs,
  { y }: { y: Tensor },
  { tileRows, tileColumns, ...options }: LinearOptions & WorkgroupTile,
): void {
  const { bindings, constants, params, flops } = linearCall(inputs, y, options);
  const workgroups = [Math.ceil(params.N / tileColumns), Math.ceil(params.rows / tileRows)] as const;
  gpu.run("linear_tiled", bindings, { y }, { constants, sizes: { TM: tileRows / 16, TN: tileColumns / 64 }, params, workgroups, flops });
}
