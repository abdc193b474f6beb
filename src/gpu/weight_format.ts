import { expectShape, type Tensor } from "./tensor.ts";

/** Values of a row that share a scale, in int8 and int4. */
export const GROUP = 32;

/** How shaders tell a weight's formats apart: their `override FORMAT`. */
const FORMATS = { f32: 0, f16: 1, int8: 2, int4: 3 } as const;

/**
 * The shader's FORMAT of a frozen matrix [N, K]. int8 and int4 are packed into words, the first value in the lowest bits, in two's
 * complement, and need scales [N, K / 32]; f32 and f16 (packed pairs) have none.
 */
export function weightFormat(weight: Tensor, scales: Tensor | null | undefined): number {
  const { name, dtype, shape } = weight;
  const [N = 0, K = 0] = shape;
  if (dtype === "u32") throw new Error(`${name} is u32, expected f32, f16, int8 or int4`);
  if (dtype === "f32" || dtype === "f16") {
    if (scales) throw new Error(`${name} is ${dtype} and has scales, expected none`);
  } else {
    if (K % GROUP !== 0) throw new Error(`${name} is ${dtype} and has ${K} columns, expected a multiple of ${GROUP}`);
    if (!scales) throw new Error(`${name} is ${dtype}, expected scales [${N}, ${K / GROUP}]`);
    expectShape(scales, [N, K / GROUP]);
  }
  return FORMATS[dtype];
}
