/** The slots that a token sees, by its span (prefix start, prefix end, own start, own end). */
export function visibleSlots(spans: ArrayLike<number>, t: number): number[] {
  const slots: number[] = [];
  for (let s = spans[4 * t]!; s < spans[4 * t + 1]!; s++) slots.push(s);
  for (let s = spans[4 * t + 2]!; s < spans[4 * t + 3]!; s++) slots.push(s);
  return slots;
}

export interface AttentionShape {
  readonly H: number;
  readonly KV: number;
  readonly D: number;
}

/** q · k / sqrt(D) of a token's head and a slot. */
export function score(q: ArrayLike<number>, k: ArrayLike<number>, t: number, head: number, slot: number, { H, KV, D }: AttentionShape) {
  const group = Math.floor(head / (H / KV));
  let sum = 0;
  for (let d = 0; d < D; d++) sum += q[(t * H + head) * D + d]! * k[(slot * KV + group) * D + d]!;
  return sum / Math.sqrt(D);
}

/** o [T, H * D] = softmax(q kᵀ / sqrt(D)) v over the slots that each token sees, lse [T, H] its log-sum-exp, in float64. */
export function attention(
  q: ArrayLike<number>,
  k: ArrayLike<number>,
  v: ArrayLike<number>,
  spans: ArrayLike<number>,
  shape: AttentionShape,
): { o: Float64Array; lse: Float64Array } {
  const { H, KV, D } = shape;
  const o = new Float64Array(q.length);
  const lse = new Float64Array(q.length / D);
  for (let t = 0; t < spans.length / 4; t++) {
    for (let head = 0; head < H; head++) {
      const row = t * H + head;
      const group = Math.floor(head / (H / KV));
      const slots = visibleSlots(spans, t);
      const scores = slots.map((slot) => score(q, k, t, head, slot, shape));
      const highest = Math.max(...scores);
      lse[row] = highest + Math.log(scores.reduce((sum, s) => sum + Math.exp(s - highest), 0));
      slots.forEach((slot, i) => {
        const p = Math.exp(scores[i]! - lse[row]!);
        for (let d = 0; d < D; d++) o[row * D + d]! += p * v[(slot * KV + group) * D + d]!;
      });
    }
  }
  return { o, lse };
}

/** A prompt and completions that share it, as one pack: what each token sees, and which tokens [from, to) see each key. */
export function packedSpans(prompt: number, completions: readonly number[]): { spans: Uint32Array; readers: Uint32Array } {
  const end = completions.reduce((sum, n) => sum + n, prompt);
  const spans: number[] = [];
  const readers: number[] = [];
  for (let t = 0; t < prompt; t++) {
    spans.push(0, 0, 0, t + 1);
    readers.push(t, end);
  }
  let start = prompt;
  for (const length of completions) {
    for (let t = start; t < start + length; t++) {
      spans.push(0, prompt, start, t + 1);
      readers.push(t, start + length);
    }
    start += length;
  }
  return { spans: Uint32Array.from(spans), readers: Uint32Array.from(readers) };
}
