// linear for graphics cards: a workgroup of 16x16 invocations takes a tile of 16 TM rows and 64 TN columns of y, and stages 16
// columns of x and weight at a time in workgroup memory, weights dequantised once. Every entry is summed as in linear.wgsl, to the bit.

override FORMAT: u32 = 0;               // of weight: 0 f32, 1 f16, 2 int8, 3 int4; all but f32 packed into words
override BIAS: bool = false;
override RESIDUAL: bool = false;
override ACCUMULATE: bool = false;
// const TM, TN: rows of y, and fours of its columns, of one invocation

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

const SIDE = 16u;
const ROWS = SIDE * TM;
const COLUMNS = SIDE * 4u * TN;

var<workgroup> x_tile: array<vec4f, 4u * ROWS>;          // [4, ROWS] of four values each
var<workgroup> weight_tile: array<vec4f, 4u * COLUMNS>;  // [4, COLUMNS]

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

@compute @workgroup_size(16, 16)
fn linear_tiled(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let q = params.K / 4u;
  let first_row = group.y * ROWS;
  let first_column = group.x * COLUMNS;
  var sums: array<vec4f, TM * TN>;
  for (var i = 0u; i < TM * TN; i += 1u) { sums[i] = vec4f(0.0); }
  for (var k = 0u; k < q; k += 4u) {
    // Rows and columns past the end repeat the last one and are not stored; beyond K there are zeros, which change no sum.
    for (var i = lane; i < 4u * ROWS; i += 256u) {
      let row = min(first_row + i / 4u, params.rows - 1u);
      let at = k + i % 4u;
      x_tile[i % 4u * ROWS + i / 4u] = select(vec4f(0.0), x[row * q + min(at, q - 1u)], at < q);
    }
    for (var i = lane; i < 4u * COLUMNS; i += 256u) {
      let column = min(first_column + i / 4u, params.N - 1u);
      let at = k + i % 4u;
      weight_tile[i % 4u * COLUMNS + i / 4u] = select(vec4f(0.0), weight4(column * q + min(at, q - 1u)), at < q);
    }
    workgroupBarrier();
    for (var s = 0u; s < 4u; s += 1u) {
      for (var j = 0u; j < TN; j += 1u) {
        let at = s * COLUMNS + 64u * j + local.x;   // neighbours read neighbours: columns local.x, + 16, + 32, + 48
        let four = mat4x4f(weight_tile[at], weight_tile[at + 16u], weight_tile[at + 32u], weight_tile[at + 48u]);
        for (var i = 0u; i < TM; i += 1u) { sums[i * TN + j] += x_tile[s * ROWS + local.y * TM + i] * four; }
      }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < TM; i += 1u) {
    for (var j = 0u; j < TN; j += 1u) { store(first_row + local.y * TM + i, first_column + 64u * j + local.x, sums[i * TN + j]); }
  }
}

fn store(row: u32, first: u32, sums: vec4f) {
  if (row >= params.rows) { return; }
  for (var j = 0u; j < 4u; j += 1u) {
    let n = first + 16u * j;
    if (n >= params.N) { return; }
    let at = row * params.width + params.column + n;
    var value = params.scale * sums[j];
    if (BIAS) { value += bias[params.column + n]; }
    if (RESIDUAL) { value += residual[at]; }
    if (ACCUMULATE) { value += y[at]; }
    y[at] = value;
  }
}
