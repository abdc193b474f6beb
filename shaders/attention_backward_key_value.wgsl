// dv = sum over the tokens that see a key of p * d_o, dk = the same of p * (dp - delta) * q / sqrt(D), over all heads of the key's
// group. One invocation per (key, key/value head), tokens in their order, so that no sum needs atomics.
// D is a const before this file: it sizes registers.

override HEADS: u32;
override KV_HEADS: u32;

struct Params { tokens: u32 }

@group(0) @binding(0) var<storage, read> q: array<vec4f>;            // [T, HEADS * D]
@group(0) @binding(1) var<storage, read> k: array<vec4f>;            // [T, KV_HEADS * D]
@group(0) @binding(2) var<storage, read> v: array<vec4f>;            // [T, KV_HEADS * D]
@group(0) @binding(3) var<storage, read> d_o: array<vec4f>;          // [T, HEADS * D]
@group(0) @binding(4) var<storage, read> stats: array<vec2f>;        // [T, HEADS]: lse, delta
@group(0) @binding(5) var<storage, read> readers: array<vec2u>;      // [T]: tokens [from, to) see this key, all of them
@group(0) @binding(6) var<storage, read_write> dk: array<vec4f>;     // [T, KV_HEADS * D]
@group(0) @binding(7) var<storage, read_write> dv: array<vec4f>;     // [T, KV_HEADS * D]
@group(0) @binding(8) var<uniform> params: Params;

const D4 = D / 4u;

@compute @workgroup_size(64)
fn attention_backward_key_value(@builtin(global_invocation_id) id: vec3u) {
  let slot = id.x;
  let kv = id.y;
  if (slot >= params.tokens) { return; }
  let group = HEADS / KV_HEADS;
  let scale = inverseSqrt(f32(D));
  let row = (slot * KV_HEADS + kv) * D4;
  var key: array<vec4f, D4>;
  var value: array<vec4f, D4>;
  var dkey: array<vec4f, D4>;
  var dvalue: array<vec4f, D4>;
  for (var i = 0u; i < D4; i += 1u) {
    key[i] = k[row + i] * scale;
    value[i] = v[row + i];
    dkey[i] = vec4f(0.0);
    dvalue[i] = vec4f(0.0);
  }
  for (var t = readers[slot].x; t < readers[slot].y; t += 1u) {
    for (var head = kv * group; head < (kv + 1u) * group; head += 1u) {
      let base = (t * HEADS + head) * D4;
      var products = vec4f(0.0);
      var dproducts = vec4f(0.0);
      for (var i = 0u; i < D4; i += 1u) {
        products += q[base + i] * key[i];
        dproducts += d_o[base + i] * value[i];
      }
      let stat = stats[t * HEADS + head];
      let p = exp(products.x + products.y + products.z + products.w - stat.x);
      let dscore = p * (dproducts.x + dproducts.y + dproducts.z + dproducts.w - stat.y) * scale;
      for (var i = 0u; i < D4; i += 1u) {
        dkey[i] += dscore * q[base + i];
        dvalue[i] += p * d_o[base + i];
      }
    }
  }
  for (var i = 0u; i < D4; i += 1u) {
    dk[row + i] = dkey[i];
    dv[row + i] = dvalue[i];
  }
}
