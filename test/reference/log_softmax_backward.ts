/** The gradient of each row's log-probability with respect to its logits [M, V]: onehot(target) - softmax, in float64. */
export function logSoftmaxBackward(logits: ArrayLike<number>, lse: ArrayLike<number>, targets: ArrayLike<number>, V: number): Float64Array {
  return Float64Array.from(logits, (value, i) => {
    const m = Math.floor(i / V);
    return Number(i % V === targets[m]) - Math.exp(value - lse[m]!);
  });
}
