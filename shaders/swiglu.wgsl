// y = silu(gate) * up, silu(g) = g * sigmoid(g), of rows of F gates and F ups. One invocation per entry.

struct Params { entries: u32, F: u32 }

@group(0) @binding(0) var<storage, read> gate_up: array<f32>;        // [T, 2 F]
@group(0) @binding(1) var<storage, read_write> y: array<f32>;        // [T, F]
@group(0) @binding(2) var<uniform> params: Params;

// By exp(-|g|), which cannot overflow.
fn sigmoid(g: f32) -> f32 {
  let e = exp(-abs(g));
  return select(e, 1.0, g >= 0.0) / (1.0 + e);
}

@compute @workgroup_size(256)
fn swiglu(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x + id.y * 65535u * 256u;
  if (i >= params.entries) { return; }
  let gate = gate_up[i / params.F * params.F + i];
  y[i] = gate * sigmoid(gate) * gate_up[i / params.F * params.F + i + params.F];
}
