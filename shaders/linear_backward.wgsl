// dx = scale * dy weight, or dx += that: the gradient of linear's input. One invocation per 4x4 tile of dx, summed over n in order.

override K: u32;                        // columns of dx, a multiple of 4
override N: u32;                        // rows of weight
override FORMAT: u32 = 0;               // of weight: 0 f32, 1 f16, 2 int8, 3 int4; all but f32 packed into words
override ACCUMULATE: bool = false;

struct Params {
  rows: u32,
  scale: f32,
  column: u32,                          // the first column of dy that is read: a shard of a larger weight
  width: u32,                           // columns of dy
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
  if (row >= params.rows) { return; }
  let i = row * (K / 4u) + column;
  if (ACCUMULATE) {
    dx[i] += params.scale * sums;
  } else {
    dx[i] = params.scale * sums;
  }
}

@compute @workgroup_size(8, 8)
fn linear_backward(@builtin(global_invocation_id) id: vec3u) {
  let q = K / 4u;
  let column = id.x;                    // in vec4s
  let row = id.y * 4u;
  if (column >= q || row >= params.rows) { return; }
  // Rows past the end repeat the last one and are not stored.
  let y0 = row * params.width + params.column;
  let y1 = min(row + 1u, params.rows - 1u) * params.width + params.column;
  let y2 = min(row + 2u, params.rows - 1u) * params.width + params.column;
  let y3 = min(row + 3u, params.rows - 1u) * params.width + params.column;
  var d0 = vec4f(0.0);
  var d1 = vec4f(0.0);
  var d2 = vec4f(0.0);
  var d3 = vec4f(0.0);
  for (var n = 0u; n < N; n += 1u) {
    let w = weight4(n * q + column);
    d0 += dy[y0 + n] * w;
    d1 += dy[y1 + n] * w;
    d2 += dy[y2 + n] * w;
    d3 += dy[y3 + n] * w;
  }
  store(row, column, d0);
  store(row + 1u, column, d1);
  store(row + 2u, column, d2);
  store(row + 3u, column, d3);
}
