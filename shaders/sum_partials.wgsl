// Second of two stages: sums = the sum of all partials, in a fixed order. One workgroup in all.

struct Params { parts: u32 }

@group(0) @binding(0) var<storage, read> partials: array<vec2f>;         // [parts]
@group(0) @binding(1) var<storage, read_write> sums: array<vec2f>;       // [1]
@group(0) @binding(2) var<uniform> params: Params;

var<workgroup> lane_sums: array<vec2f, 64>;

@compute @workgroup_size(64)
fn sum_partials(@builtin(local_invocation_index) lane: u32) {
  var sum = vec2f(0.0);
  for (var i = lane; i < params.parts; i += 64u) { sum += partials[i]; }
  lane_sums[lane] = sum;
  workgroupBarrier();
  if (lane > 0u) { return; }
  for (var other = 1u; other < 64u; other += 1u) { sum += lane_sums[other]; }
  sums[0] = sum;
}
