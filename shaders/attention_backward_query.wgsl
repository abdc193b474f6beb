// dq = sum over keys of p * (dp - delta) * k / sqrt(D), p = exp(score - lse), dp = d_o · v (FlashAttention-2's backward, without
// tiles). One invocation per (token, head), keys in the order of their slots.
// D is a const before this file: it sizes registers.

override HEADS: u32;
override KV_HEADS: u32;

struct Params { tokens: u32 }

@group(0) @binding(0) var<storage, read> q: array<vec4f>;            // [T, HEADS * D]
@group(0) @binding(1) var<storage, read> k: array<vec4f>;            // [S, KV_HEADS * D]
@group(0) @binding(2) var<storage, read> v: array<vec4f>;            // [S, KV_HEADS * D]
@group(0) @binding(3) var<storage, read> d_o: array<vec4f>;          // [T, HEADS * D]
@group(0) @binding(4) var<storage, read> stats: array<vec2f>;        // [T, HEADS]: lse, delta
@group(0) @binding(5) var<storage, read> spans: array<vec4u>;        // [T]: prefix start, prefix end, own start, own end
@group(0) @binding(6) var<storage, read_write> dq: array<vec4f>;     // [T, HEADS * D]
@group(0) @binding(7) var<uniform> params: Params;

const D4 = D / 4u;

@compute @workgroup_size(64)
fn attention_backward_query(@builtin(global_invocation_id) id: vec3u) {
  let t = id.x;
  let head = id.y;
  if (t >= params.tokens) { return; }
  let kv = head / (HEADS / KV_HEADS);
  let scale = inverseSqrt(f32(D));
  let row = (t * HEADS + head) * D4;
  var query: array<vec4f, D4>;
  var gradient: array<vec4f, D4>;
  var sum: array<vec4f, D4>;
  for (var i = 0u; i < D4; i += 1u) {
    query[i] = q[row + i] * scale;
    gradient[i] = d_o[row + i];
    sum[i] = vec4f(0.0);
  }
  let stat = stats[t * HEADS + head];
  let span = spans[t];
  let prefix = span.y - span.x;
  let keys = prefix + span.w - span.z;
  for (var j = 0u; j < keys; j += 1u) {
    let slot = select(span.z + j - prefix, span.x + j, j < prefix);
    let base = (slot * KV_HEADS + kv) * D4;
    var products = vec4f(0.0);
    var dproducts = vec4f(0.0);
    for (var i = 0u; i < D4; i += 1u) {
      products += query[i] * k[base + i];
      dproducts += gradient[i] * v[base + i];
    }
    let p = exp(products.x + products.y + products.z + products.w - stat.x);
    let dscore = p * (dproducts.x + dproducts.y + dproducts.z + dproducts.w - stat.y) * scale;
    for (var i = 0u; i < D4; i += 1u) { sum[i] += dscore * k[base + i]; }
  }
  for (var i = 0u; i < D4; i += 1u) { dq[row + i] = sum[i]; }
}
