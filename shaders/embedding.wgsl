// y[t] = table[ids[t]], row by row, where one of up to three shards of the table holds that row; other rows of y stay. One invocation
// per entry of y.

override C: u32;                        // columns, a multiple of 4; of 32 with int8 and int4
override FORMAT: u32 = 0;               // of table: 0 f32, 1 f16, 2 int8, 3 int4; all but f32 packed into words

struct Params {
  first: u32,                           // row of the whole table that the first shard begins with; the others follow it
  rows: u32,
  second_rows: u32,                     // 0: there is none
  third_rows: u32,
}

@group(0) @binding(0) var<storage, read> table: array<u32>;          // [rows, C]
@group(0) @binding(1) var<storage, read> scales: array<f32>;         // [rows, C / 32] of int8 and int4
@group(0) @binding(2) var<storage, read> second_table: array<u32>;
@group(0) @binding(3) var<storage, read> second_scales: array<f32>;
@group(0) @binding(4) var<storage, read> third_table: array<u32>;
@group(0) @binding(5) var<storage, read> third_scales: array<f32>;
@group(0) @binding(6) var<storage, read> ids: array<u32>;            // [T]
@group(0) @binding(7) var<storage, read_write> y: array<f32>;        // [T, C]
@group(0) @binding(8) var<uniform> params: Params;

fn word(shard: u32, i: u32) -> u32 {
  if (shard == 0u) { return table[i]; }
  if (shard == 1u) { return second_table[i]; }
  return third_table[i];
}

fn scale(shard: u32, i: u32) -> f32 {
  if (shard == 0u) { return scales[i]; }
  if (shard == 1u) { return second_scales[i]; }
  return third_scales[i];
}

fn value(shard: u32, i: u32) -> f32 {
  if (FORMAT == 1u) { return unpack2x16float(word(shard, i / 2u))[i % 2u]; }
  if (FORMAT == 2u) { return f32(extractBits(bitcast<i32>(word(shard, i / 4u)), i % 4u * 8u, 8u)) * scale(shard, i / 32u); }
  if (FORMAT == 3u) { return f32(extractBits(bitcast<i32>(word(shard, i / 8u)), i % 8u * 4u, 4u)) * scale(shard, i / 32u); }
  return bitcast<f32>(word(shard, i));
}

@compute @workgroup_size(64)
fn embedding(@builtin(global_invocation_id) id: vec3u) {
  let c = id.x;
  let t = id.y;
  var row = ids[t] - params.first;      // wraps around before the first shard, and is then in none
  var shard = 0u;
  if (row >= params.rows) {
    row -= params.rows;
    shard = 1u;
    if (row >= params.second_rows) {
      row -= params.second_rows;
      shard = 2u;
      if (row >= params.third_rows) { return; }
    }
  }
  if (c < C) { y[t * C + c] = value(shard, row * C + c); }
}
