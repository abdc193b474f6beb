import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";

interface Outputs {
  ids: Tensor;
  positions: Tensor;
  slots: Tensor;
  spans: Tensor;
  counts: Tensor;
  history: Tensor;
}

/** Makes the sampled tokens [B] the rows' next inputs and appends them to history [B, L]; rows with counts[b] = limits[b] stay. */
export function advanceRows(gpu: Gpu, { tokens, limits }: { tokens: Tensor; limits: Tensor }, outputs: Outputs): void {
  const { ids, positions, slots, spans, counts, history } = outputs;
  const [B = 0] = tokens.shape;
  const [, L = 0] = history.shape;
  for (const t of [limits, ids, positions, slots, counts]) expectShape(t, [B]);
  expectShape(spans, [B, 4]);
  expectShape(history, [B, L]);
  const dispatch = { constants: { L }, params: { rows: B }, workgroups: [Math.ceil(B / 64)] as const };
  gpu.run("advance_rows", { tokens, limits }, { ids, positions, slots, spans, counts, history }, dispatch);
}
