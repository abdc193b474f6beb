import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { LinearOptions } from "./linear.ts";
import { type LinearGradients, linearBackwardCall } from "./linear_backward.ts";
import type { WorkgroupTile } from "./linear_tiled.ts";

/** What linear_backward gives, to the bit, computed tile by tile in workgroup memory: for graphics cards and many rows. */
export function linearBackwardTiled(
  gpu: Gpu,
  gradients: LinearGradients,
  { dx }: { dx: Tensor },
  { tileRows, tileColumns, ...options }: LinearOptions & WorkgroupTile,
): void {
  const { bindings, constants, params, flops } = linearBackwardCall(gradients, dx, options);
  const workgroups = [Math.ceil(params.K / tileColumns), Math.ceil(params.rows / tileRows)] as const;
  const sizes = { TM: tileRows / 16, TN: tileColumns / 64 };
  gpu.run("linear_backward_tiled", bindings, { dx }, { constants, sizes, params, workgroups, flops });
}
