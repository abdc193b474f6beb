// stats = (lse, delta), delta = sum over D of d_o * o: what the gradients of query, key and value share. One invocation per
// (token, head).

override HEADS: u32;
override D: u32;                        // head size, a multiple of 4

struct Params { tokens: u32 }

@group(0) @binding(0) var<storage, read> o: array<vec4f>;            // [T, HEADS * D]
@group(0) @binding(1) var<storage, read> d_o: array<vec4f>;          // [T, HEADS * D]
@group(0) @binding(2) var<storage, read> lse: array<f32>;            // [T, HEADS]
@group(0) @binding(3) var<storage, read_write> stats: array<vec2f>;  // [T, HEADS]
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn attention_backward_delta(@builtin(global_invocation_id) id: vec3u) {
  let t = id.x;
  if (t >= params.tokens) { return; }
  let d4 = D / 4u;
  let i = t * HEADS + id.y;
  var products = vec4f(0.0);
  for (var d = 0u; d < d4; d += 1u) { products += d_o[i * d4 + d] * o[i * d4 + d]; }
  stats[i] = vec2f(lse[i], products.x + products.y + products.z + products.w);
}
