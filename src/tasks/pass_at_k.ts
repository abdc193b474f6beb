// pass@k = 1 - prod_{i = n-c+1 .. n} (1 - k/i): the unbiased estimate of Chen et al. 2021 in its product form.

/**
 * The chance that at least one of k answers passes, estimated from n answers of which c passed.
 * Only defined for n >= k: fewer answers say nothing about k of them.
 */
export function passAtK(n: number, c: number, k: number): number {
  if (n < k) throw new Error(`pass@${k} needs at least ${k} answers per problem, found ${n}: sample more or ask for a smaller k.`);
  if (n - c < k) return 1;
  let allFail = 1;
  for (let i = n - c + 1; i <= n; i++) allFail *= 1 - k / i;
  return 1 - allFail;
}
