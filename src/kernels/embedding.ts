import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";

/** y [T, C] = rows `ids` [T] of table [V, C]; table is f32 or packed f16. */
export function embedding(gpu: Gpu, { table, ids }: { table: Tensor; ids: Tensor }, { y }: { y: Tensor }): void {
  const [, C = 0] = table.shape;
  const [T = 0] = ids.shape;
  expectShape(y, [T, C]);
  const constants = { C, F16: Number(table.dtype === "f16") };
  gpu.run("embedding", { table, ids }, { y }, { constants, workgroups: [Math.ceil(C / 64), T] });
}
