enable subgroups;

// linear for adapters on which a load costs more than a shuffle: lanes 0 to 3 of a quad load four values of a row of x and show
// them to each other. One invocation per tile of y of 8 or 16 rows and 4 columns. Every entry is summed as in linear.wgsl, to the bit.

override FORMAT: u32 = 0;               // of weight: 0 f32, 1 f16, 2 int8, 3 int4; all but f32 packed into words
override BIAS: bool = false;
override RESIDUAL: bool = false;
override ACCUMULATE: bool = false;
override TALL: bool = false;            // tiles of 16 rows instead of 8
override STEPS: bool = false;           // leaves out four rows at a time past the end
override LANES: u32;                    // invocations of a workgroup, whole quads

struct Params {
  rows: u32,
  scale: f32,
  column: u32,                          // the first column of y that is written: a shard of a larger weight
  width: u32,                           // columns of y
  K: u32,                               // columns of x, a multiple of 4
  N: u32,                               // rows of weight
}

@group(0) @binding(0) var<storage, read> x: array<f32>;              // [rows, K]
@group(0) @binding(1) var<storage, read> weight: array<vec2u>;       // [N, K]
@group(0) @binding(2) var<storage, read> scales: array<f32>;         // [N, K / 32] of int8 and int4
@group(0) @binding(3) var<storage, read> bias: array<f32>;           // [width]
@group(0) @binding(4) var<storage, read> residual: array<f32>;       // [rows, width]
@group(0) @binding(5) var<storage, read_write> y: array<f32>;        // [rows, width]
@group(0) @binding(6) var<uniform> params: Params;

// Values 4i to 4i + 3 of the weight, row by row.
fn weight4(i: u32) -> vec4f {
  if (FORMAT == 1u) {
    let pairs = weight[i];
    return vec4f(unpack2x16float(pairs.x), unpack2x16float(pairs.y));
  }
  if (FORMAT == 2u) {
    let word = weight[i / 2u][i % 2u];
    return vec4f(vec4i(vec4u(word) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u)) * scales[i / 8u];
  }
  if (FORMAT == 3u) {
    let word = weight[i / 4u][i / 2u % 2u] >> (i % 2u * 16u);
    return vec4f(vec4i(vec4u(word) << vec4u(28u, 24u, 20u, 16u)) >> vec4u(28u)) * scales[i / 8u];
  }
  return vec4f(bitcast<vec2f>(weight[2u * i]), bitcast<vec2f>(weight[2u * i + 1u]));
}

// Columns past the end repeat the last one and are not stored.
fn four_columns(n: u32, k: u32) -> mat4x4f {
  let q = params.K / 4u;
  return mat4x4f(
    weight4(min(n, params.N - 1u) * q + k),
    weight4(min(n + 1u, params.N - 1u) * q + k),
    weight4(min(n + 2u, params.N - 1u) * q + k),
    weight4(min(n + 3u, params.N - 1u) * q + k),
  );
}

// What the four lanes of the quad hold.
fn of_quad(value: f32) -> vec4f {
  return vec4f(quadBroadcast(value, 0u), quadBroadcast(value, 1u), quadBroadcast(value, 2u), quadBroadcast(value, 3u));
}

fn store(row: u32, n: u32, sums: vec4f) {
  if (row >= params.rows || n >= params.N) { return; }
  let first = row * params.width + params.column + n;
  for (var j = 0u; j < min(4u, params.N - n); j += 1u) {
    var value = params.scale * sums[j];
    if (BIAS) { value += bias[params.column + n + j]; }
    if (RESIDUAL) { value += residual[first + j]; }
    if (ACCUMULATE) { value += y[first + j]; }
    y[first + j] = value;
  }
}

@compute @workgroup_size(LANES)
fn linear_quads(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_invocation_id) invocation: u32,
) {
  let n = 4u * (group.y * LANES + local);
  let row = group.x * select(8u, 16u, TALL);
  let last = params.rows - 1u;          // rows past the end repeat it and are not stored
  let lane = invocation % 4u;
  let x0 = row * params.K + lane;
  let x1 = min(row + 1u, last) * params.K + lane;
  let x2 = min(row + 2u, last) * params.K + lane;
  let x3 = min(row + 3u, last) * params.K + lane;
  let x4 = min(row + 4u, last) * params.K + lane;
  let x5 = min(row + 5u, last) * params.K + lane;
  let x6 = min(row + 6u, last) * params.K + lane;
  let x7 = min(row + 7u, last) * params.K + lane;
  let x8 = min(row + 8u, last) * params.K + lane;
  let x9 = min(row + 9u, last) * params.K + lane;
  let x10 = min(row + 10u, last) * params.K + lane;
  let x11 = min(row + 11u, last) * params.K + lane;
  let x12 = min(row + 12u, last) * params.K + lane;
  let x13 = min(row + 13u, last) * params.K + lane;
  let x14 = min(row + 14u, last) * params.K + lane;
  let x15 = min(row + 15u, last) * params.K + lane;
  var y0 = vec4f(0.0); var y1 = y0; var y2 = y0; var y3 = y0; var y4 = y0; var y5 = y0; var y6 = y0; var y7 = y0;
  var y8 = y0; var y9 = y0; var y10 = y0; var y11 = y0; var y12 = y0; var y13 = y0; var y14 = y0; var y15 = y0;
  for (var k = 0u; k < params.K; k += 4u) {
    let b = four_columns(n, k / 4u);
    y0 += of_quad(x[x0 + k]) * b;
    y1 += of_quad(x[x1 + k]) * b;
    y2 += of_quad(x[x2 + k]) * b;
    y3 += of_quad(x[x3 + k]) * b;
    if (!STEPS || row + 4u < params.rows) {
      y4 += of_quad(x[x4 + k]) * b;
      y5 += of_quad(x[x5 + k]) * b;
      y6 += of_quad(x[x6 + k]) * b;
      y7 += of_quad(x[x7 + k]) * b;
    }
    if (TALL && (!STEPS || row + 8u < params.rows)) {
      y8 += of_quad(x[x8 + k]) * b;
      y9 += of_quad(x[x9 + k]) * b;
      y10 += of_quad(x[x10 + k]) * b;
      y11 += of_quad(x[x11 + k]) * b;
    }
    if (TALL && (!STEPS || row + 12u < params.rows)) {
      y12 += of_quad(x[x12 + k]) * b;
      y13 += of_quad(x[x13 + k]) * b;
      y14 += of_quad(x[x14 + k]) * b;
      y15 += of_quad(x[x15 + k]) * b;
    }
  }
  store(row, n, y0);
  store(row + 1u, n, y1);
  store(row + 2u, n, y2);
  store(row + 3u, n, y3);
  store(row + 4u, n, y4);
  store(row + 5u, n, y5);
  store(row + 6u, n, y6);
  store(row + 7u, n, y7);
  if (TALL) {
    store(row + 8u, n, y8);
    store(row + 9u, n, y9);
    store(row + 10u, n, y10);
    store(row + 11u, n, y11);
    store(row + 12u, n, y12);
    store(row + 13u, n, y13);
    store(row + 14u, n, y14);
    store(row + 15u, n, y15);
  }
}
