// dx = residual + rstd * (weight * dy - x * rstd² * mean(x * weight * dy)): the gradient of rms_norm's input, and of what
// passed by it. One invocation per row, as in rms_norm.wgsl.

override C: u32;                        // row length, a multiple of 4

struct Params { rows: u32 }

@group(0) @binding(0) var<storage, read> x: array<vec4f>;            // [N, C]
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;       // [C]
@group(0) @binding(2) var<storage, read> rstd: array<f32>;           // [N]
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;           // [N, C]
@group(0) @binding(4) var<storage, read> residual: array<vec4f>;     // [N, C]
@group(0) @binding(5) var<storage, read_write> dx: array<vec4f>;     // [N, C]
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(32)
fn rms_norm_backward(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) { return; }
  let base = row * (C / 4u);
  var products = vec4f(0.0);
  for (var c = 0u; c < C / 4u; c += 1u) { products += x[base + c] * weight[c] * dy[base + c]; }
  let r = rstd[row];
  let mean = dot(products, vec4f(1.0)) / f32(C);
  for (var c = 0u; c < C / 4u; c += 1u) {
    let i = base + c;
    dx[i] = residual[i] + r * (weight[c] * dy[i] - x[i] * (r * r * mean));
  }
}
