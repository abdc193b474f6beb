import type { Gpu } from "../gpu/gpu.ts";
import { expectShape, type Tensor } from "../gpu/tensor.ts";

interface Chain {
  readonly rounds: number;
  readonly factor: number;
  readonly term: number;
}

/** y [n, 4] = the sum of eight chains a = a * factor + term over `rounds`, begun at x, x + 1 ... x + 7. n must be a multiple of 64. */
export function multiplyAdd(gpu: Gpu, { x }: { x: Tensor }, { y }: { y: Tensor }, { rounds, factor, term }: Chain): void {
  const [n = 0] = x.shape;
  if (n % 64 !== 0) throw new Error(`${x.name} has ${n} rows, expected a multiple of 64`);
  expectShape(x, [n, 4]);
  expectShape(y, [n, 4]);
  gpu.run("multiply_add", { x }, { y }, { params: { rounds, factor, term }, workgroups: [n / 64], flops: 2 * 8 * 4 * rounds * n });
}
