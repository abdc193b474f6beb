// One step of PyTorch's AdamW over a flat arena, after clipping by the global norm: g = gradient * min(1, max / (norm + 1e-6)),
// p -= rate * decay * p, m and v move towards g and g², p -= rate / c1 * m / (sqrt(v) / sqrt(c2) + eps). One invocation per entry.
// When a gradient is not finite nothing is changed.

struct Params {
  entries: u32,
  learning_rate: f32,
  beta1: f32,
  beta2: f32,
  rest1: f32,                           // 1 - beta1 and 1 - beta2, rounded once: 1 - f32(0.999) is off by 5e-5
  rest2: f32,
  eps: f32,
  weight_decay: f32,
  bias_correction1: f32,                // 1 - beta1^t
  bias_correction2: f32,                // 1 - beta2^t
  max_grad_norm: f32,                   // 0: no clipping
}

@group(0) @binding(0) var<storage, read> gradient: array<f32>;            // [n]
@group(0) @binding(1) var<storage, read> norm: array<f32>;                // [2]: sum of squares, count of NaN and Inf
@group(0) @binding(2) var<storage, read_write> parameter: array<f32>;     // [n]
@group(0) @binding(3) var<storage, read_write> exp_avg: array<f32>;       // [n]
@group(0) @binding(4) var<storage, read_write> exp_avg_sq: array<f32>;    // [n]
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(256)
fn adamw(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x + id.y * 65535u * 256u;
  let overflow = (bitcast<u32>(norm[0]) & 0x7fffffffu) >= 0x7f800000u;
  if (i >= params.entries || norm[1] > 0.0 || overflow) { return; }
  var g = gradient[i];
  if (params.max_grad_norm > 0.0) { g *= min(1.0, params.max_grad_norm / (sqrt(norm[0]) + 1e-6)); }
  let m = params.beta1 * exp_avg[i] + params.rest1 * g;
  let v = params.beta2 * exp_avg_sq[i] + params.rest2 * g * g;
  exp_avg[i] = m;
  exp_avg_sq[i] = v;
  let decayed = parameter[i] * (1.0 - params.learning_rate * params.weight_decay);
  parameter[i] = decayed - params.learning_rate / params.bias_correction1 * m / (sqrt(v) / sqrt(params.bias_correction2) + params.eps);
}
