// y = x * rstd * weight, rstd = 1 / sqrt(mean(x²) + EPS). One invocation per row: a workgroup per row with a tree of sums took 80
// times as long on SwiftShader, where every invocation of a workgroup with barriers is a coroutine.

override C: u32;                        // row length, a multiple of 4
override EPS: f32;

struct Params { rows: u32 }

@group(0) @binding(0) var<storage, read> x: array<vec4f>;            // [N, C]
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;       // [C]
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;      // [N, C]
@group(0) @binding(3) var<storage, read_write> rstd: array<f32>;     // [N], kept for the backward pass
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(32)
fn rms_norm(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) { return; }
  let base = row * (C / 4u);
  var squares = vec4f(0.0);
  for (var c = 0u; c < C / 4u; c += 1u) { squares += x[base + c] * x[base + c]; }
  let r = inverseSqrt(dot(squares, vec4f(1.0)) / f32(C) + EPS);
  for (var c = 0u; c < C / 4u; c += 1u) { y[base + c] = x[base + c] * r * weight[c]; }
  rstd[row] = r;
}
