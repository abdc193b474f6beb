// Second of two stages: sums = the sum of all partials, in a fixed order. One workgroup in all.

struct Params { groups: u32 }

@group(0) @binding(0) var<storage, read> partials: array<vec2f>;         // [groups]
@group(0) @binding(1) var<storage, read_write> sums: array<vec2f>;       // [1]
@group(0) @binding(2) var<uniform> params: Params;

var<workgroup> partial: array<vec2f, 64>;

@compute @workgroup_size(64)
fn sum_partials(@builtin(local_invocation_index) lane: u32) {
  var sum = vec2f(0.0);
  for (var i = lane; i < params.groups; i += 64u) { sum += partials[i]; }
  partial[lane] = sum;
  for (var stride = 32u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (lane < stride) { partial[lane] += partial[lane + stride]; }
  }
  if (lane == 0u) { sums[0] = partial[0]; }
}
