import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { type LinearInputs, type LinearOptions, linearCall } from "./linear.ts";

/** How one invocation computes its rows of the output. The result is the same bits. */
export interface QuadTile {
  /** 16 of them instead of 8. */
  readonly tall: boolean;
  /** Leaves out rows past the end, four at a time: where the adapter skips what no lane computes. */
  readonly steps: boolean;
}

/** What linear gives, to the bit; the lanes of a quad share what they load of x. The GPU must have subgroups. */
export function linearQuads(
  gpu: Gpu,
  inputs: LinearInputs,
  { y }: { y: Tensor },
  { tall = false, steps = gpu.skipsBranches, ...options }: LinearOptions & Partial<QuadTile> = {},
): void {
  const { bindings, constants, params, flops } = linearCall(inputs, y, options);
  const LANES = quadLanes(params.N);
  // Rows first: the workgroups that follow each other read the same columns of the weight, which are then in a core's cache.
  const workgroups = [Math.ceil(params.rows / (tall ? 16 : 8)), Math.ceil(params.N / (4 * LANES))] as const;
  const tile = { TALL: Number(tall), STEPS: Number(steps), LANES };
  gpu.run("linear_quads", bindings, { y }, { constants: { ...constants, ...tile }, params, workgroups, flops });
}

/** Invocations of a workgroup whose lanes take a vec4 of columns each: one quad where LoRA's rank would leave a second idle. */
export const quadLanes = (columns: number): number => (columns <= 16 ? 4 : 8);
