/** Per entry the sum of eight chains a = a * factor + term over `rounds`, begun at x, x + 1 ... x + 7, in float64. */
export function multiplyAdd(x: ArrayLike<number>, rounds: number, factor: number, term: number): Float64Array {
  return Float64Array.from(x, (start) => {
    let sum = 0;
    for (let chain = 0; chain < 8; chain++) {
      let a = start + chain;
      for (let round = 0; round < rounds; round++) a = a * factor + term;
      sum += a;
    }
    return sum;
  });
}
