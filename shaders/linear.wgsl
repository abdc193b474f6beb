// y = scale * x weightᵀ + bias + residual, or y += that. One invocation per tile of y of 4 or 8 rows and columns, in registers: every entry is
// summed over k in the same order whatever the number of rows and the tile, so that a row's result does not depend on its batch.

override FORMAT: u32 = 0;               // of weight: 0 f32, 1 f16, 2 int8, 3 int4; all but f32 packed into words
override BIAS: bool = false;
override RESIDUAL: bool = false;
override ACCUMULATE: bool = false;
override TALL: bool = false;            // tiles of 8 rows instead of 4
override WIDE: bool = false;            // tiles of 8 columns instead of 4

struct Params {
  rows: u32,
  scale: f32,
  column: u32,                          // the first column of y that is written: a shard of a larger weight
  width: u32,                           // columns of y
  K: u32,                               // columns of x, a multiple of 4
  N: u32,                               // rows of weight
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;            // [rows, K]
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

@compute @workgroup_size(8, 8)
fn linear(@builtin(global_invocation_id) id: vec3u) {
  let n = id.x * select(4u, 8u, WIDE);
  let row = id.y * select(4u, 8u, TALL);
  if (n >= params.N || row >= params.rows) { return; }
  let q = params.K / 4u;
  let last = params.rows - 1u;          // rows past the end repeat it and are not stored
  let x0 = row * q;
  let x1 = min(row + 1u, last) * q;
  let x2 = min(row + 2u, last) * q;
  let x3 = min(row + 3u, last) * q;
  let x4 = min(row + 4u, last) * q;
  let x5 = min(row + 5u, last) * q;
  let x6 = min(row + 6u, last) * q;
  let x7 = min(row + 7u, last) * q;
  var y0 = vec4f(0.0); var y1 = y0; var y2 = y0; var y3 = y0; var y4 = y0; var y5 = y0; var y6 = y0; var y7 = y0;
  var z0 = y0; var z1 = y0; var z2 = y0; var z3 = y0; var z4 = y0; var z5 = y0; var z6 = y0; var z7 = y0;
  for (var k = 0u; k < q; k += 1u) {
    let b = four_columns(n, k);
    y0 += x[x0 + k] * b;
    y1 += x[x1 + k] * b;
    y2 += x[x2 + k] * b;
    y3 += x[x3 + k] * b;
    if (TALL) {
      y4 += x[x4 + k] * b;
      y5 += x[x5 + k] * b;
      y6 += x[x6 + k] * b;
      y7 += x[x7 + k] * b;
    }
    if (WIDE) {
      let c = four_columns(n + 4u, k);
      z0 += x[x0 + k] * c;
      z1 += x[x1 + k] * c;
      z2 += x[x2 + k] * c;
      z3 += x[x3 + k] * c;
      if (TALL) {
        z4 += x[x4 + k] * c;
        z5 += x[x5 + k] * c;
        z6 += x[x6 + k] * c;
        z7 += x[x7 + k] * c;
      }
    }
  }
  store(row, n, y0);
  store(row + 1u, n, y1);
  store(row + 2u, n, y2);
  store(row + 3u, n, y3);
  if (TALL) {
    store(row + 4u, n, y4);
    store(row + 5u, n, y5);
    store(row + 6u, n, y6);
    store(row + 7u, n, y7);
  }
  if (WIDE) {
    store(row, n + 4u, z0);
    store(row + 1u, n + 4u, z1);
    store(row + 2u, n + 4u, z2);
    store(row + 3u, n + 4u, z3);
    if (TALL) {
      store(row + 4u, n + 4u, z4);
      store(row + 5u, n + 4u, z5);
      store(row + 6u, n + 4u, z6);
      store(row + 7u, n + 4u, z7);
    }
  }
}
