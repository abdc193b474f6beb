import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";
import { weightFormat } from "../gpu/weight_format.ts";
import type { LinearOptions, RegisterTile } from "./linear.ts";

export interface LinearGradients {
  dy: Tensor;
  weight: Tensor;
  scales?: Tensor | null;
}

/**
 * dx [rows, K] = scale * dy [rows, N] weight [N, K]. K must be a multiple of 4; weight is of any format, int8 and int4 with their
 * scales. With a shard, dy has a column for each row of the larger weight, and the shard's own are read.
 */
export function linearBackward(
  gpu: Gpu,
  gradients: LinearGradients,
  { dx }: { dx: Tensor },
  { tall = false, wide = false, ...options }: LinearOptions & Partial<RegisterTile> = {},
): void {
  const { bindings, constants, params, flops } = linearBackwardCall(gradients, dx, options);
  const workgroups = [Math.ceil(params.K / (wide ? 64 : 32)), Math.ceil(params.rows / (tall ? 64 : 32))] as const;
  const tiled = { ...constants, TALL: Number(tall), WIDE: Number(wide) };
  gpu.run("linear_backward", bindings, { dx }, { constants: tiled, params, workgroups, flops });
}

/** What linear_backward and linear_backward_tiled have in common: the checks, and all of the dispatch but its size. */
export function linearBackwardCall({ dy, weight, scales }: LinearGradients, dx: Tensor, options: LinearOptions) {
  const { scale = 1, accumulate = false } = options;
  const [rows = 0] = dy.shape;
  const [N = 0, K = 0] = weight.shape;
  const { first: column, rows: width } = options.shard ?? { first: 0, rows: N };
  if (K % 4 !== 0) throw new Error(`${weight.name} has ${K} columns, expected a multiple of 4`);
  expectShape(dy, [rows, width]);
  expectShape(dx, [rows, K]);
  return {
    bindings: { dy, weight, scales: scales ?? weight }, // scales that are not there are never read; the weight stands in
    constants: { FORMAT: weightFormat(weight, scales), ACCUMULATE: Number(accumulate) },
    params: { rows, scale, column, width, K, N },
    flops: 2 * rows * N * K,
  };
}
