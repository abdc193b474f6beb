// y = a + b, entry by entry. One invocation per entry.

struct Params { entries: u32 }

@group(0) @binding(0) var<storage, read> a: array<f32>;              // [T, C]
@group(0) @binding(1) var<storage, read> b: array<f32>;              // [T, C]
@group(0) @binding(2) var<storage, read_write> y: array<f32>;        // [T, C]
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(256)
fn add(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x + id.y * 65535u * 256u;
  if (i < params.entries) { y[i] = a[i] + b[i]; }
}
