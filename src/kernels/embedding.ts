import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";
import { weightFormat } from "../gpu/weight_format.ts";

/**
 * y [T, C] = rows `ids` [T] of a table, of which `table` [rows, C] is the shard that begins at row `first`: rows of y whose id lies
 * elsewhere stay as they are. The table is of any weight format, int8 and int4 with their scales.
 */
export function embedding(
  gpu: Gpu,
  { table, scales, ids }: { table: Tensor; scales?: Tensor | null; ids: Tensor },
  { y }: { y: Tensor },
  first = 0,
): void {
  const [rows = 0, C = 0] = table.shape;
  const [T = 0] = ids.shape;
  expectShape(y, [T, C]);
  gpu.run(
    "embedding",
    { table, scales: scales ?? table, ids }, // scales that are never read: the table stands in
    { y },
    { constants: { C, FORMAT: weightFormat(table, scales) }, params: { first, rows }, workgroups: [Math.ceil(C / 64), T] },
  );
}
