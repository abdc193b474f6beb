enable subgroups;

// linear_backward for adapters on which a load costs more than a shuffle: lanes 0 to 3 of a quad load four values of a row of dy and
// show them to each other. One invocation per tile of dx of 8 or 16 rows and 4 columns. Every entry is summed as in
// linear_backward.wgsl, to the bit.

override FORMAT: u32 = 0;               // of weight: 0 f32, 1 f16, 2 int8, 3 int4; all but f32 packed into words
override ACCUMULATE: bool = false;
override TALL: bool = false;            // tiles of 16 rows instead of 8
override STEPS: bool = false;           // leaves out four rows at a time past the end
override LANES: u32;                    // invocations of a workgroup, whole quads

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

fn weight_or_zero(n: u32, column: u32) -> vec4f {
  return select(vec4f(0.0), weight4(min(n, params.N - 1u) * (params.K / 4u) + column), n < params.N);
}

// The sums and four products more, one after another: of what the quad's lanes hold of dy, and four rows of weight.
fn add_four(sums: vec4f, value: f32, w0: vec4f, w1: vec4f, w2: vec4f, w3: vec4f) -> vec4f {
  let two = sums + quadBroadcast(value, 0u) * w0 + quadBroadcast(value, 1u) * w1;
  return two + quadBroadcast(value, 2u) * w2 + quadBroadcast(value, 3u) * w3;
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

@compute @workgroup_size(LANES)
fn linear_backward_quads(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_invocation_id) invocation: u32,
) {
  let q = params.K / 4u;
  let column = group.y * LANES + local;             // in vec4s
  let read = min(column, q - 1u);                // columns and rows past the end repeat the last one and are not stored
  let row = group.x * select(8u, 16u, TALL);
  let last = params.rows - 1u;
  let lane = invocation % 4u;
  let y0 = row * params.width + params.column;
  let y1 = min(row + 1u, last) * params.width + params.column;
  let y2 = min(row + 2u, last) * params.width + params.column;
  let y3 = min(row + 3u, last) * params.width + params.column;
  let y4 = min(row + 4u, last) * params.width + params.column;
  let y5 = min(row + 5u, last) * params.width + params.column;
  let y6 = min(row + 6u, last) * params.width + params.column;
  let y7 = min(row + 7u, last) * params.width + params.column;
  let y8 = min(row + 8u, last) * params.width + params.column;
  let y9 = min(row + 9u, last) * params.width + params.column;
  let y10 = min(row + 10u, last) * params.width + params.column;
  let y11 = min(row + 11u, last) * params.width + params.column;
  let y12 = min(row + 12u, last) * params.width + params.column;
  let y13 = min(row + 13u, last) * params.width + params.column;
  let y14 = min(row + 14u, last) * params.width + params.column;
  let y15 = min(row + 15u, last) * params.width + params.column;
  var d0 = vec4f(0.0); var d1 = d0; var d2 = d0; var d3 = d0; var d4 = d0; var d5 = d0; var d6 = d0; var d7 = d0;
  var d8 = d0; var d9 = d0; var d10 = d0; var d11 = d0; var d12 = d0; var d13 = d0; var d14 = d0; var d15 = d0;
  for (var n = 0u; n < params.N; n += 4u) {
    let at = min(n + lane, params.N - 1u);       // beyond N the weights are zeros, which change no sum
    let w0 = weight4(n * q + read);
    let w1 = weight_or_zero(n + 1u, read);
    let w2 = weight_or_zero(n + 2u, read);
    let w3 = weight_or_zero(n + 3u, read);
    d0 = add_four(d0, dy[y0 + at], w0, w1, w2, w3);
    d1 = add_four(d1, dy[y1 + at], w0, w1, w2, w3);
    d2 = add_four(d2, dy[y2 + at], w0, w1, w2, w3);
    d3 = add_four(d3, dy[y3 + at], w0, w1, w2, w3);
    if (!STEPS || row + 4u < params.rows) {
      d4 = add_four(d4, dy[y4 + at], w0, w1, w2, w3);
      d5 = add_four(d5, dy[y5 + at], w0, w1, w2, w3);
      d6 = add_four(d6, dy[y6 + at], w0, w1, w2, w3);
      d7 = add_four(d7, dy[y7 + at], w0, w1, w2, w3);
    }
    if (TALL && (!STEPS || row + 8u < params.rows)) {
      d8 = add_four(d8, dy[y8 + at], w0, w1, w2, w3);
      d9 = add_four(d9, dy[y9 + at], w0, w1, w2, w3);
      d10 = add_four(d10, dy[y10 + at], w0, w1, w2, w3);
      d11 = add_four(d11, dy[y11 + at], w0, w1, w2, w3);
    }
    if (TALL && (!STEPS || row + 12u < params.rows)) {
      d12 = add_four(d12, dy[y12 + at], w0, w1, w2, w3);
      d13 = add_four(d13, dy[y13 + at], w0, w1, w2, w3);
      d14 = add_four(d14, dy[y14 + at], w0, w1, w2, w3);
      d15 = add_four(d15, dy[y15 + at], w0, w1, w2, w3);
    }
  }
  store(row, column, d0);
  store(row + 1u, column, d1);
  store(row + 2u, column, d2);
  store(row + 3u, column, d3);
  store(row + 4u, column, d4);
  store(row + 5u, column, d5);
  store(row + 6u, column, d6);
  store(row + 7u, column, d7);
  if (TALL) {
    store(row + 8u, column, d8);
    store(row + 9u, column, d9);
    store(row + 10u, column, d10);
    store(row + 11u, column, d11);
    store(row + 12u, column, d12);
    store(row + 13u, column, d13);
    store(row + 14u, column, d14);
    store(row + 15u, column, d15);
  }
}
