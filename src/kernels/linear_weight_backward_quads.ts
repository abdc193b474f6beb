import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { LinearOptions } from "./linear.ts";
import { quadLanes } from "./linear_quads.ts";
import { type WeightGradients, weightCall } from "./linear_weight_backward.ts";

/** What linear_weight_backward gives, to the bit; the lanes of a quad share what they load of dy. The GPU must have subgroups. */
export function linearWeightBackwardQuads(
  gpu: Gpu,
  gradients: WeightGradients,
  { dweight }: { dweight: Tensor },
  options: Pick<LinearOptions, "scale" | "shard"> = {},
): void {
  const { K, N, params, flops } = weightCall(gradients, dweight, options);
  const LANES = quadLanes(K);
  const workgroups = [Math.ceil(K / (4 * LANES)), Math.ceil(N / 8)] as const;
  gpu.run(
    "linear_weight_backward_quads",
    { ...gradients },
    { dweight },
    { constants: { LANES }, params: { ...params, K, N }, workgroups, flops },
  );
}
