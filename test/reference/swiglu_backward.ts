/** Gradients of swiglu's gate and up, entry by entry in float64. */
export function swigluBackward(
  gate: ArrayLike<number>,
  up: ArrayLike<number>,
  dy: ArrayLike<number>,
): { dgate: Float64Array; dup: Float64Array } {
  const sigmoid = (g: number) => 1 / (1 + Math.exp(-g));
  return {
    dgate: Float64Array.from(gate, (g, i) => dy[i]! * up[i]! * sigmoid(g) * (1 + g * (1 - sigmoid(g)))),
    dup: Float64Array.from(gate, (g, i) => dy[i]! * g * sigmoid(g)),
  };
}
