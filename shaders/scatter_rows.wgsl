// y[slots[t]] = x[t], row by row. One invocation per entry of x.

override N: u32;                        // columns

@group(0) @binding(0) var<storage, read> x: array<f32>;              // [T, N]
@group(0) @binding(1) var<storage, read> slots: array<u32>;          // [T], no slot twice
@group(0) @binding(2) var<storage, read_write> y: array<f32>;        // [S, N]

@compute @workgroup_size(64)
fn scatter_rows(@builtin(global_invocation_id) id: vec3u) {
  let n = id.x;
  let t = id.y;
  if (n >= N) { return; }
  y[slots[t] * N + n] = x[t * N + n];
}
