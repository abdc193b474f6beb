// y = x' weightᵀ + bias + residual for the few rows of decoding on a graphics card, where x' is x or, with NORM, its rms_norm; with
// GATED y = silu(g) * u of a weight whose first half of rows gives g, and the second u. A workgroup takes 8 rows of weight and 4 TM of x:
// its 64 lanes share K between them and add up in a fixed tree. So a row's sums are in another order than linear's, but the same
// whatever rows are beside it.

override FORMAT: u32 = 0;               // of weight: 0 f32, 1 f16, 2 int8, 3 int4; all but f32 packed into words
override BIAS: bool = false;
override RESIDUAL: bool = false;
override NORM: bool = false;
override GATED: bool = false;
override EPS: f32 = 0.0;
// const TM: fours of rows of y

struct Params {
  rows: u32,
  column: u32,                          // the first column of y that is written: a shard of a larger weight
  width: u32,                           // columns of y
  K: u32,                               // columns of x, a multiple of 4
  N: u32,                               // rows of weight
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;            // [rows, K]
@group(0) @binding(1) var<storage, read> norm: array<vec4f>;         // [K]
@group(0) @binding(2) var<storage, read> weight: array<vec2u>;       // [N, K]
@group(0) @binding(3) var<storage, read> scales: array<f32>;         // [N, K / 32] of int8 and int4
@group(0) @binding(4) var<storage, read> bias: array<f32>;           // [width]
@group(0) @binding(5) var<storage, read> residual: array<f32>;       // [rows, width]
@group(0) @binding(6) var<storage, read_write> y: array<f32>;        // [rows, width]
@group(0) @binding(7) var<uniform> params: Params;

const LANES = 64u;
const COLUMNS = 8u;

var<workgroup> partial: array<array<vec4f, COLUMNS * TM>, LANES>;

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

fn sigmoid(g: f32) -> f32 {
  let e = exp(-abs(g));
  return select(e, 1.0, g >= 0.0) / (1.0 + e);
}

// Adds the first `count` partial sums of all lanes up into those of lane 0.
fn add_up(lane: u32, count: u32) {
  for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (lane < stride) {
      for (var i = 0u; i < count; i += 1u) { partial[lane][i] += partial[lane + stride][i]; }
    }
  }
  workgroupBarrier();
}

// The row of weight that column j of the tile is a product with. Rows past the end repeat the last one and are not stored.
fn weight_row(first: u32, j: u32) -> u32 {
  if (GATED) { return min(first + j % 4u, params.N / 2u - 1u) + select(0u, params.N / 2u, j >= 4u); }
  return min(first + j, params.N - 1u);
}

@compute @workgroup_size(64)
fn linear_split(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let q = params.K / 4u;
  let last = params.rows - 1u;          // rows past the end repeat it and are not stored
  let first_row = group.y * 4u * TM;
  let first_column = group.x * select(COLUMNS, COLUMNS / 2u, GATED);
  var rstd: array<vec4f, TM>;
  if (NORM) {
    for (var m = 0u; m < TM; m += 1u) {
      var squares = vec4f(0.0);
      for (var k = lane; k < q; k += LANES) {
        for (var i = 0u; i < 4u; i += 1u) {
          let value = x[min(first_row + 4u * m + i, last) * q + k];
          squares[i] += dot(value, value);
        }
      }
      partial[lane][m] = squares;
    }
    add_up(lane, TM);
    for (var m = 0u; m < TM; m += 1u) { rstd[m] = inverseSqrt(partial[0][m] / f32(params.K) + EPS); }
    workgroupBarrier();
  }
  var sums: array<vec4f, COLUMNS * TM>;
  for (var i = 0u; i < COLUMNS * TM; i += 1u) { sums[i] = vec4f(0.0); }
  for (var k = lane; k < q; k += LANES) {
    var four: array<mat4x4f, TM>;
    for (var m = 0u; m < TM; m += 1u) {
      for (var i = 0u; i < 4u; i += 1u) {
        four[m][i] = x[min(first_row + 4u * m + i, last) * q + k];
        if (NORM) { four[m][i] = four[m][i] * rstd[m][i] * norm[k]; }
      }
    }
    for (var j = 0u; j < COLUMNS; j += 1u) {
      let w = weight4(weight_row(first_column, j) * q + k);
      for (var m = 0u; m < TM; m += 1u) { sums[j * TM + m] += w * four[m]; }
    }
  }
  for (var i = 0u; i < COLUMNS * TM; i += 1u) { partial[lane][i] = sums[i]; }
  add_up(lane, COLUMNS * TM);
  for (var i = lane; i < COLUMNS * 4u * TM; i += LANES) {
    let j = i % COLUMNS;
    let row = first_row + i / COLUMNS;
    let n = first_column + j;
    let columns = select(params.N, params.N / 2u, GATED);
    if (row >= params.rows || n >= columns || (GATED && j >= 4u)) { continue; }
    let m = i / COLUMNS / 4u;
    let r = i / COLUMNS % 4u;
    var value = partial[0][j * TM + m][r];
    if (BIAS) { value += bias[params.column + n]; }
    if (GATED) { value = value * sigmoid(value) * partial[0][(j + 4u) * TM + m][r]; }
    let at = row * params.width + params.column + n;
    if (RESIDUAL) { value += residual[at]; }
    y[at] = value;
  }
}
