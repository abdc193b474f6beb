// o = softmax(q kᵀ / sqrt(D)) v over the keys that a token sees, by the online softmax (Milakov & Gimelshein 2018); the log-sum-exp
// is kept for the backward pass. One invocation per (token, head); keys are summed in the order of their slots, so that a token's
// result does not depend on what else is in the pack.
// D is a const before this file: it sizes registers.

override HEADS: u32;
override KV_HEADS: u32;

struct Params { tokens: u32 }

@group(0) @binding(0) var<storage, read> q: array<vec4f>;            // [T, HEADS * D]
@group(0) @binding(1) var<storage, read> k: array<vec4f>;            // [S, KV_HEADS * D]
@group(0) @binding(2) var<storage, read> v: array<vec4f>;            // [S, KV_HEADS * D]
@group(0) @binding(3) var<storage, read> spans: array<vec4u>;        // [T]: prefix start, prefix end, own start, own end
@group(0) @binding(4) var<storage, read_write> o: array<vec4f>;      // [T, HEADS * D]
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;      // [T, HEADS]
@group(0) @binding(6) var<uniform> params: Params;

const D4 = D / 4u;

@compute @workgroup_size(64)
fn attention(@builtin(global_invocation_id) id: vec3u) {
  let t = id.x;
  let head = id.y;
  if (t >= params.tokens) { return; }
  let kv = head / (HEADS / KV_HEADS);
  let scale = inverseSqrt(f32(D));
  let row = (t * HEADS + head) * D4;
  var query: array<vec4f, D4>;
  var sum: array<vec4f, D4>;
  for (var i = 0u; i < D4; i += 1u) {
    query[i] = q[row + i] * scale;
    sum[i] = vec4f(0.0);
  }
  var highest = -3.4e38;
  var total = 0.0;
  let span = spans[t];
  let prefix = span.y - span.x;
  let keys = prefix + span.w - span.z;
  for (var j = 0u; j < keys; j += 1u) {
    let slot = select(span.z + j - prefix, span.x + j, j < prefix);
    let base = (slot * KV_HEADS + kv) * D4;
    var products = vec4f(0.0);
    for (var i = 0u; i < D4; i += 1u) { products += query[i] * k[base + i]; }
    let score = products.x + products.y + products.z + products.w;
    if (score > highest) {
      let shrink = exp(highest - score);
      total *= shrink;
      for (var i = 0u; i < D4; i += 1u) { sum[i] *= shrink; }
      highest = score;
    }
    let weight = exp(score - highest);
    total += weight;
    for (var i = 0u; i < D4; i += 1u) { sum[i] += weight * v[base + i]; }
  }
  for (var i = 0u; i < D4; i += 1u) { o[row + i] = sum[i] / total; }
  lse[t * HEADS + head] = highest + log(total);
}
