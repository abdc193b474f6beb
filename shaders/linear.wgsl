// y = scale * x weightᵀ + bias, or y += that. One invocation per 4x4 tile of y, in registers: every entry is summed over k in the
// same order whatever the number of rows, so that a row's result does not depend on its batch.

override K: u32;                        // columns of x, a multiple of 4
override N: u32;                        // rows of weight
override FORMAT: u32 = 0;               // of weight: 0 f32, 1 f16, 2 int8, 3 int4; all but f32 packed into words
override BIAS: bool = false;
override ACCUMULATE: bool = false;

struct Params {
  rows: u32,
  scale: f32,
  column: u32,                          // the first column of y that is written: a shard of a larger weight
  width: u32,                           // columns of y
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;            // [rows, K]
@group(0) @binding(1) var<storage, read> weight: array<vec2u>;       // [N, K]
@group(0) @binding(2) var<storage, read> scales: array<f32>;         // [N, K / 32] of int8 and int4
@group(0) @binding(3) var<storage, read> bias: array<f32>;           // [width]
@group(0) @binding(4) var<storage, read_write> y: array<f32>;        // [rows, width]
@group(0) @binding(5) var<uniform> params: Params;

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

fn store(row: u32, n: u32, sums: vec4f) {
  if (row >= params.rows) { return; }
  let first = row * params.width + params.column + n;
  for (var j = 0u; j < min(4u, N - n); j += 1u) {
    var value = params.scale * sums[j];
    if (BIAS) { value += bias[params.column + n + j]; }
    if (ACCUMULATE) { value += y[first + j]; }
    y[first + j] = value;
  }
}

@compute @workgroup_size(8, 8)
fn linear(@builtin(global_invocation_id) id: vec3u) {
  let n = id.x * 4u;
  let row = id.y * 4u;
  if (n >= N || row >= params.rows) { return; }
  let q = K / 4u;
  // Rows and columns past the end repeat the last one and are not stored.
  let x0 = row * q;
  let x1 = min(row + 1u, params.rows - 1u) * q;
  let x2 = min(row + 2u, params.rows - 1u) * q;
  let x3 = min(row + 3u, params.rows - 1u) * q;
  let w0 = n * q;
  let w1 = min(n + 1u, N - 1u) * q;
  let w2 = min(n + 2u, N - 1u) * q;
  let w3 = min(n + 3u, N - 1u) * q;
  var y0 = vec4f(0.0);
  var y1 = vec4f(0.0);
  var y2 = vec4f(0.0);
  var y3 = vec4f(0.0);
  for (var k = 0u; k < q; k += 1u) {
    let b0 = weight4(w0 + k);
    let b1 = weight4(w1 + k);
    let b2 = weight4(w2 + k);
    let b3 = weight4(w3 + k);
    let a0 = x[x0 + k];
    let a1 = x[x1 + k];
    let a2 = x[x2 + k];
    let a3 = x[x3 + k];
    y0 += vec4f(dot(a0, b0), dot(a0, b1), dot(a0, b2), dot(a0, b3));
    y1 += vec4f(dot(a1, b0), dot(a1, b1), dot(a1, b2), dot(a1, b3));
    y2 += vec4f(dot(a2, b0), dot(a2, b1), dot(a2, b2), dot(a2, b3));
    y3 += vec4f(dot(a3, b0), dot(a3, b1), dot(a3, b2), dot(a3, b3));
  }
  store(row, n, y0);
  store(row + 1u, n, y1);
  store(row + 2u, n, y2);
  store(row + 3u, n, y3);
}
