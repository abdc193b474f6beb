// y[t] = table[ids[t]], row by row. One invocation per entry of y.

override C: u32;                        // columns, a multiple of 4
override F16: bool = false;             // table holds packed f16 pairs instead of f32

@group(0) @binding(0) var<storage, read> table: array<u32>;          // [V, C]
@group(0) @binding(1) var<storage, read> ids: array<u32>;            // [T]
@group(0) @binding(2) var<storage, read_write> y: array<f32>;        // [T, C]

@compute @workgroup_size(64)
fn embedding(@builtin(global_invocation_id) id: vec3u) {
  let c = id.x;
  let t = id.y;
  if (c >= C) { return; }
  let i = ids[t] * C + c;
  if (F16) {
    y[t * C + c] = unpack2x16float(table[i / 2u])[i % 2u];
  } else {
    y[t * C + c] = bitcast<f32>(table[i]);
  }
}
