// First of two stages: partials[g] = (sum of squares, count of NaN and Inf) of the entries g, g + parts, g + 2 parts ... One invocation
// per part. NaN and Inf are told by their bits (a compiler may assume them away) and add nothing to the sum.

struct Params { entries: u32, parts: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;                  // [n]
@group(0) @binding(1) var<storage, read_write> partials: array<vec2f>;   // [parts]
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn sum_of_squares(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.parts) { return; }
  var sum = vec2f(0.0);
  for (var i = id.x; i < params.entries; i += params.parts) {
    let value = x[i];
    if ((bitcast<u32>(value) & 0x7fffffffu) >= 0x7f800000u) {
      sum.y += 1.0;
    } else {
      sum.x += value * value;
    }
  }
  partials[id.x] = sum;
}
