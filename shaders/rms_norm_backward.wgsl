// dx = residual + rstd * (weight * dy - x * rstd² * mean(x * weight * dy)): the gradient of rms_norm's input, and of what
// passed by it. One workgroup per row.

override C: u32;                        // row length

struct Params { rows: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;              // [N, C]
@group(0) @binding(1) var<storage, read> weight: array<f32>;         // [C]
@group(0) @binding(2) var<storage, read> rstd: array<f32>;           // [N]
@group(0) @binding(3) var<storage, read> dy: array<f32>;             // [N, C]
@group(0) @binding(4) var<storage, read> residual: array<f32>;       // [N, C]
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;       // [N, C]
@group(0) @binding(6) var<uniform> params: Params;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn rms_norm_backward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.x + group.y * 65535u;
  if (row >= params.rows) { return; }
  let base = row * C;
  var sum = 0.0;
  for (var c = lane; c < C; c += 64u) { sum += x[base + c] * weight[c] * dy[base + c]; }
  partial[lane] = sum;
  for (var stride = 32u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (lane < stride) { partial[lane] += partial[lane + stride]; }
  }
  workgroupBarrier();
  let r = rstd[row];
  let mean = partial[0] / f32(C);
  for (var c = lane; c < C; c += 64u) {
    dx[base + c] = residual[base + c] + r * (weight[c] * dy[base + c] - x[base + c] * r * r * mean);
  }
}
