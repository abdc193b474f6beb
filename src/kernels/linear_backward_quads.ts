import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { LinearOptions } from "./linear.ts";
import { type LinearGradients, linearBackwardCall } from "./linear_backward.ts";
import { type QuadTile, quadLanes } from "./linear_quads.ts";

/** What linear_backward gives, to the bit; the lanes of a quad share what they load of dy. The GPU must have subgroups. */
export function linearBackwardQuads(
  gpu: Gpu,
  gradients: LinearGradients,
  { dx }: { dx: Tensor },
  { tall = false, steps = gpu.skipsBranches, ...options }: LinearOptions & Partial<QuadTile> = {},
): void {
  const { bindings, constants, params, flops } = linearBackwardCall(gradients, dx, options);
  const LANES = quadLanes(params.K);
  // Rows first: the workgroups that follow each other read the same columns of the weight, which are then in a core's cache.
  const workgroups = [Math.ceil(params.rows / (tall ? 16 : 8)), Math.ceil(params.K / (4 * LANES))] as const;
  const tile = { TALL: Number(tall), STEPS: Number(steps), LANES };
  gpu.run("linear_backward_quads", bindings, { dx }, { constants: { ...constants, ...tile }, params, workgroups, flops });
}
