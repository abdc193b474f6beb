/** [M, 4] per row: mean logit, entropy, 1 if the target has the largest logit (of equals the lowest index) else 0, and 0, in float64. */
export function rowStatistics(logits: ArrayLike<number>, lse: ArrayLike<number>, targets: ArrayLike<number>, V: number): Float64Array {
  const statistics = new Float64Array(4 * targets.length);
  for (let m = 0; m < targets.length; m++) {
    let sum = 0;
    let entropy = 0;
    let best = 0;
    for (let v = 0; v < V; v++) {
      const logit = logits[m * V + v]!;
      sum += logit;
      entropy += Math.exp(logit - lse[m]!) * (lse[m]! - logit);
      if (logit > logits[m * V + best]!) best = v;
    }
    statistics.set([sum / V, entropy, Number(best === targets[m]), 0], 4 * m);
  }
  return statistics;
}
