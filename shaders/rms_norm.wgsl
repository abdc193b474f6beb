// y = x * rstd * weight, rstd = 1 / sqrt(mean(x²) + EPS). One workgroup per row.

override C: u32;                        // row length
override EPS: f32;

@group(0) @binding(0) var<storage, read> x: array<f32>;              // [N, C]
@group(0) @binding(1) var<storage, read> weight: array<f32>;         // [C]
@group(0) @binding(2) var<storage, read_write> y: array<f32>;        // [N, C]
@group(0) @binding(3) var<storage, read_write> rstd: array<f32>;     // [N], kept for the backward pass
@group(0) @binding(4) var<uniform> params: Params;

struct Params { rows: u32 }

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn rms_norm(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.x + group.y * 65535u;
  if (row >= params.rows) { return; }
  let base = row * C;
  var sum = 0.0;
  for (var c = lane; c < C; c += 64u) { sum += x[base + c] * x[base + c]; }
  partial[lane] = sum;
  for (var stride = 32u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (lane < stride) { partial[lane] += partial[lane + stride]; }
  }
  workgroupBarrier();
  let r = inverseSqrt(partial[0] / f32(C) + EPS);
  for (var c = lane; c < C; c += 64u) { y[base + c] = x[base + c] * r * weight[c]; }
  if (lane == 0u) { rstd[row] = r; }
}
