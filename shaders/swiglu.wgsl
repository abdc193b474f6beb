// y = silu(gate) * up, silu(g) = g / (1 + exp(-g)). One invocation per entry.

struct Params { entries: u32 }

@group(0) @binding(0) var<storage, read> gate: array<f32>;           // [T, F]
@group(0) @binding(1) var<storage, read> up: array<f32>;             // [T, F]
@group(0) @binding(2) var<storage, read_write> y: array<f32>;        // [T, F]
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(256)
fn swiglu(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x + id.y * 65535u * 256u;
  if (i >= params.entries) { return; }
  let g = gate[i];
  y[i] = g / (1.0 + exp(min(-g, 80.0))) * up[i]; // exp(80) is finite: a large negative g gives 0, not NaN
}
