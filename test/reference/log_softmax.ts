/** logp [M] of the target in each row of logits [M, V], and lse [M], the row's log-sum-exp, in float64. */
export function logSoftmax(logits: ArrayLike<number>, targets: ArrayLike<number>, V: number): { logp: Float64Array; lse: Float64Array } {
  const M = targets.length;
  const logp = new Float64Array(M);
  const lse = new Float64Array(M);
  for (let m = 0; m < M; m++) {
    let highest = Number.NEGATIVE_INFINITY;
    for (let v = 0; v < V; v++) highest = Math.max(highest, logits[m * V + v]!);
    let sum = 0;
    for (let v = 0; v < V; v++) sum += Math.exp(logits[m * V + v]! - highest);
    lse[m] = highest + Math.log(sum);
    logp[m] = logits[m * V + targets[m]!]! - lse[m]!;
  }
  return { logp, lse };
}
