// dgate = dy * up * s * (1 + gate * (1 - s)), dup = dy * gate * s, with s = sigmoid(gate). One invocation per entry.

struct Params { entries: u32, F: u32 }

@group(0) @binding(0) var<storage, read> gate_up: array<f32>;        // [T, 2 F]
@group(0) @binding(1) var<storage, read> dy: array<f32>;             // [T, F]
@group(0) @binding(2) var<storage, read_write> dgate_up: array<f32>; // [T, 2 F]
@group(0) @binding(3) var<uniform> params: Params;

// By exp(-|g|), which cannot overflow.
fn sigmoid(g: f32) -> f32 {
  let e = exp(-abs(g));
  return select(e, 1.0, g >= 0.0) / (1.0 + e);
}

@compute @workgroup_size(256)
fn swiglu_backward(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x + id.y * 65535u * 256u;
  if (i >= params.entries) { return; }
  let at = i / params.F * params.F + i;
  let g = gate_up[at];
  let s = sigmoid(g);
  dgate_up[at] = dy[i] * gate_up[at + params.F] * s * (1.0 + g * (1.0 - s));
  dgate_up[at + params.F] = dy[i] * g * s;
}
