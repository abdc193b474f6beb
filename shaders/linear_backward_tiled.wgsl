// linear_backward for graphics cards: a workgroup of 16x16 invocations takes a tile of 16 TM rows and 64 TN columns of dx, and
// stages 16 columns of dy and rows of weight at a time in workgroup memory. Every entry is summed as in linear_backward.wgsl, to the bit.

override FORMAT: u32 = 0;               // of weight: 0 f32, 1 f16, 2 int8, 3 int4; all but f32 packed into words
override ACCUMULATE: bool = false;
// const TM, TN: rows of dx, and fours of its columns, of one invocation

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

const SIDE = 16u;
const ROWS = SIDE * TM;
const COLUMNS = SIDE * TN;              // in vec4s

var<workgroup> dy_tile: array<f32, SIDE * ROWS>;           // [16, ROWS]
var<workgroup> weight_tile: array<vec4f, SIDE * COLUMNS>;  // [16, COLUMNS]

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

@compute @workgroup_size(16, 16)
fn linear_backward_tiled(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let q = params.K / 4u;
  let first_row = group.y * ROWS;
  let first_column = group.x * COLUMNS;
  var sums: array<vec4f, TM * TN>;
  for (var i = 0u; i < TM * TN; i += 1u) { sums[i] = vec4f(0.0); }
  for (var n = 0u; n < params.N; n += SIDE) {
    // Rows and columns past the end repeat the last one and are not stored; beyond N there are zeros, which change no sum.
    for (var i = lane; i < SIDE * ROWS; i += 256u) {
      let row = min(first_row + i / SIDE, params.rows - 1u);
      let at = n + i % SIDE;
      dy_tile[i % SIDE * ROWS + i / SIDE] = select(0.0, dy[row * params.width + params.column + min(at, params.N - 1u)], at < params.N);
    }
    for (var i = lane; i < SIDE * COLUMNS; i += 256u) {
      let column = min(first_column + i % COLUMNS, q - 1u);
      let at = n + i / COLUMNS;
      weight_tile[i] = select(vec4f(0.0), weight4(min(at, params.N - 1u) * q + column), at < params.N);
    }
    workgroupBarrier();
    for (var s = 0u; s < SIDE; s += 1u) {
      for (var j = 0u; j < TN; j += 1u) {
        let four = weight_tile[s * COLUMNS + SIDE * j + local.x];
        for (var i = 0u; i < TM; i += 1u) { sums[i * TN + j] += dy_tile[s * ROWS + local.y * TM + i] * four; }
      }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < TM; i += 1u) {
    for (var j = 0u; j < TN; j += 1u) { store(first_row + local.y * TM + i, first_column + SIDE * j + local.x, sums[i * TN + j]); }
  }
}
