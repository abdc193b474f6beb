// In place: logits become onehot(target) - softmax(logits), the gradient of each row's log-probability. One invocation per entry.

override V: u32;                        // row length

@group(0) @binding(0) var<storage, read> lse: array<f32>;            // [M]
@group(0) @binding(1) var<storage, read> targets: array<u32>;        // [M]
@group(0) @binding(2) var<storage, read_write> logits: array<f32>;   // [M, V]

@compute @workgroup_size(64)
fn log_softmax_backward(@builtin(global_invocation_id) id: vec3u) {
  let column = id.x;
  let m = id.y;
  if (column >= V) { return; }
  let i = m * V + column;
  logits[i] = select(0.0, 1.0, column == targets[m]) - exp(logits[i] - lse[m]);
}
