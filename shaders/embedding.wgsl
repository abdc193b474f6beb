// y[t] = table[ids[t]], row by row, where the table's shard holds that row; other rows of y stay. One invocation per entry of y.

override C: u32;                        // columns, a multiple of 4; of 32 with int8 and int4
override FORMAT: u32 = 0;               // of table: 0 f32, 1 f16, 2 int8, 3 int4; all but f32 packed into words

struct Params { first: u32, rows: u32 } // the shard holds rows first to first + rows - 1

@group(0) @binding(0) var<storage, read> table: array<u32>;          // [rows, C]
@group(0) @binding(1) var<storage, read> scales: array<f32>;         // [rows, C / 32] of int8 and int4
@group(0) @binding(2) var<storage, read> ids: array<u32>;            // [T]
@group(0) @binding(3) var<storage, read_write> y: array<f32>;        // [T, C]
@group(0) @binding(4) var<uniform> params: Params;

fn value(i: u32) -> f32 {
  if (FORMAT == 1u) { return unpack2x16float(table[i / 2u])[i % 2u]; }
  if (FORMAT == 2u) { return f32(extractBits(bitcast<i32>(table[i / 4u]), i % 4u * 8u, 8u)) * scales[i / 32u]; }
  if (FORMAT == 3u) { return f32(extractBits(bitcast<i32>(table[i / 8u]), i % 8u * 4u, 4u)) * scales[i / 32u]; }
  return bitcast<f32>(table[i]);
}

@compute @workgroup_size(64)
fn embedding(@builtin(global_invocation_id) id: vec3u) {
  let c = id.x;
  let t = id.y;
  let row = ids[t] - params.first;      // wraps around below the shard, and is then not below its rows
  if (c >= C || row >= params.rows) { return; }
  y[t * C + c] = value(row * C + c);
}
