// y[m] = x[rows[m]], row by row. One invocation per entry of y.

override C: u32;                        // columns

@group(0) @binding(0) var<storage, read> x: array<f32>;              // [T, C]
@group(0) @binding(1) var<storage, read> rows: array<u32>;           // [M]
@group(0) @binding(2) var<storage, read_write> y: array<f32>;        // [M, C]

@compute @workgroup_size(64)
fn gather_rows(@builtin(global_invocation_id) id: vec3u) {
  let c = id.x;
  let m = id.y;
  if (c >= C) { return; }
  y[m * C + c] = x[rows[m] * C + c];
}
