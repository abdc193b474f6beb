// First of two stages: partials[g] = (sum of squares, count of NaN and Inf) of the entries g, g + groups * 256 ... One workgroup per
// partial. NaN and Inf are told by their bits (a compiler may assume them away) and add nothing to the sum.

struct Params { entries: u32, groups: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;                  // [n]
@group(0) @binding(1) var<storage, read_write> partials: array<vec2f>;   // [groups]
@group(0) @binding(2) var<uniform> params: Params;

var<workgroup> partial: array<vec2f, 256>;

@compute @workgroup_size(256)
fn sum_of_squares(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  var sum = vec2f(0.0);
  for (var i = group.x * 256u + lane; i < params.entries; i += params.groups * 256u) {
    let value = x[i];
    if ((bitcast<u32>(value) & 0x7fffffffu) >= 0x7f800000u) {
      sum.y += 1.0;
    } else {
      sum.x += value * value;
    }
  }
  partial[lane] = sum;
  for (var stride = 128u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (lane < stride) { partial[lane] += partial[lane + stride]; }
  }
  if (lane == 0u) { partials[group.x] = partial[0]; }
}
