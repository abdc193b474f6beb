// dx = scale * dy weight, or dx += that: the gradient of linear's input. One invocation per tile of dx of 4 or 8 rows and columns,
// every entry summed over n in order.

override FORMAT: u32 = 0;               // of weight: 0 f32, 1 f16, 2 int8, 3 int4; all but f32 packed into words
override ACCUMULATE: bool = false;
override TALL: bool = false;            // tiles of 8 rows instead of 4
override WIDE: bool = false;            // tiles of 8 columns instead of 4

struct Params {
  rows: u32,
  scale: f32,
  column: u32,                          // the first column of dy that is read: a shard of a larger weight
  width: u32,                           // columns of dy
  K: u32,                               // columns of dx, a multiple of 4
  N: u32,                               // rows of weight
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;             // [rows, width]
@group(0) @binding(1) var<storage, read> weight: array<vec2u>;       // [N, K]
@group(0) @binding(2) var<storage, read> scales: array<f32>;         // [N, K / 32] of int8 and int4
@group(0) @binding(3) var<storage, read_write> dx: array<vec4f>;     // [rows, K]
@group(0) @binding(4) var<uniform> params: Params;

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

fn store(row: u32, column: u32, sums: vec4f) {
  if (row >= params.rows || column >= params.K / 4u) { return; }
  let i = row * (params.K / 4u) + column;
  if (ACCUMULATE) {
    dx[i] += params.scale * sums;
  } else {
    dx[i] = params.scale * sums;
  }
}

@compute @workgroup_size(8, 8)
fn linear_backward(@builtin(global_invocation_id) id: vec3u) {
  let q = params.K / 4u;
  let column = id.x * select(1u, 2u, WIDE);      // in vec4s
  let row = id.y * select(4u, 8u, TALL);
  if (column >= q || row >= params.rows) { return; }
  let beside = min(column + 1u, q - 1u);         // columns and rows past the end repeat the last one and are not stored
  let last = params.rows - 1u;
  let y0 = row * params.width + params.column;
  let y1 = min(row + 1u, last) * params.width + params.column;
  let y2 = min(row + 2u, last) * params.width + params.column;
  let y3 = min(row + 3u, last) * params.width + params.column;
  let y4 = min(row + 4u, last) * params.width + params.column;
  let y5 = min(row + 5u, last) * params.width + params.column;
  let y6 = min(row + 6u, last) * params.width + params.column;
  let y7 = min(row + 7u, last) * params.width + params.column;
  var d0 = vec4f(0.0); var d1 = d0; var d2 = d0; var d3 = d0; var d4 = d0; var d5 = d0; var d6 = d0; var d7 = d0;
  var e0 = d0; var e1 = d0; var e2 = d0; var e3 = d0; var e4 = d0; var e5 = d0; var e6 = d0; var e7 = d0;
  for (var n = 0u; n < params.N; n += 1u) {
    let w = weight4(n * q + column);
    d0 += dy[y0 + n] * w;
    d1 += dy[y1 + n] * w;
    d2 += dy[y2 + n] * w;
    d3 += dy[y3 + n] * w;
    if (TALL) {
      d4 += dy[y4 + n] * w;
      d5 += dy[y5 + n] * w;
      d6 += dy[y6 + n] * w;
      d7 += dy[y7 + n] * w;
    }
    if (WIDE) {
      let v = weight4(n * q + beside);
      e0 += dy[y0 + n] * v;
      e1 += dy[y1 + n] * v;
      e2 += dy[y2 + n] * v;
      e3 += dy[y3 + n] * v;
      if (TALL) {
        e4 += dy[y4 + n] * v;
        e5 += dy[y5 + n] * v;
        e6 += dy[y6 + n] * v;
        e7 += dy[y7 + n] * v;
      }
    }
  }
  store(row, column, d0);
  store(row + 1u, column, d1);
  store(row + 2u, column, d2);
  store(row + 3u, column, d3);
  if (TALL) {
    store(row + 4u, column, d4);
    store(row + 5u, column, d5);
    store(row + 6u, column, d6);
    store(row + 7u, column, d7);
  }
  if (WIDE) {
    store(row, column + 1u, e0);
    store(row + 1u, column + 1u, e1);
    store(row + 2u, column + 1u, e2);
    store(row + 3u, column + 1u, e3);
    if (TALL) {
      store(row + 4u, column + 1u, e4);
      store(row + 5u, column + 1u, e5);
      store(row + 6u, column + 1u, e6);
      store(row + 7u, column + 1u, e7);
    }
  }
}
