import { attention } from "./attention.ts";
import { type HeadShape, type RopeInputs, rope } from "./rope.ts";

/** o [T, H * D], and k and v [S, KV * D] with the new keys and values in the last slot of each span, in float64. */
export function attentionSplit(
  inputs: RopeInputs,
  spans: ArrayLike<number>,
  cache: { readonly k: ArrayLike<number>; readonly v: ArrayLike<number> },
  shape: HeadShape,
): { o: Float64Array; k: Float64Array; v: Float64Array } {
  const turned = rope(inputs, shape);
  const width = shape.kvHeads * shape.headSize;
  const [k, v] = [Float64Array.from(cache.k), Float64Array.from(cache.v)];
  for (let t = 0; t < spans.length / 4; t++) {
    const slot = spans[4 * t + 3]! - 1;
    k.set(turned.k.subarray(t * width, (t + 1) * width), slot * width);
    v.set(turned.v.subarray(t * width, (t + 1) * width), slot * width);
  }
  const { o } = attention(turned.q, k, v, spans, { H: shape.heads, KV: shape.kvHeads, D: shape.headSize });
  return { o, k, v };
}
