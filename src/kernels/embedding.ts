import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";
import { weightFormat } from "../gpu/weight_format.ts";

/** Rows of a table that lie in one buffer. */
interface Shard {
  readonly table: Tensor;
  readonly scales?: Tensor | null;
}

/** Shards that one dispatch looks into: eight buffers are what WebGPU grants. */
export const SHARDS = 3;

/**
 * y [T, C] = rows `ids` [T] of a table, of which `table` [rows, C] is the shard that begins at row `first`, and `more` are those behind it:
 * rows of y whose id lies elsewhere stay as they are. The table is of any weight format, int8 and int4 with their scales.
 */
export function embedding(
  gpu: Gpu,
  { table, scales, ids, more = [] }: Shard & { ids: Tensor; more?: readonly Shard[] },
  { y }: { y: Tensor },
  first = 0,
): void {
  const [rows = 0, C = 0] = table.shape;
  const [T = 0] = ids.shape;
  if (more.length >= SHARDS) throw new Error(`embedding takes up to ${SHARDS} shards, found ${more.length + 1}`);
  for (const { table: other } of more) expectShape(other, [other.shape[0]!, C]);
  expectShape(y, [T, C]);
  const [second, third] = more;
  const rowsOf = (shard?: Shard) => shard?.table.shape[0] ?? 0;
  gpu.run(
    "embedding",
    {
      table,
      scales: scales ?? table, // what is not there is never read; the first shard stands in
      second_table: second?.table ?? table,
      second_scales: second?.scales ?? table,
      third_table: third?.table ?? table,
      third_scales: third?.scales ?? table,
      ids,
    },
    { y },
    {
      constants: { C, FORMAT: weightFormat(table, scales) },
      params: { first, rows, second_rows: rowsOf(second), third_rows: rowsOf(third) },
      workgroups: [Math.ceil(C / 64), T],
    },
  );
}
