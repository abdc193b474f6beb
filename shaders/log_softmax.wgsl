// logp[m] = logits[m, targets[m]] - lse[m], lse[m] = log sum exp of the row. One workgroup per row.

override V: u32;                        // row length

@group(0) @binding(0) var<storage, read> logits: array<f32>;         // [M, V]
@group(0) @binding(1) var<storage, read> targets: array<u32>;        // [M]
@group(0) @binding(2) var<storage, read_write> logp: array<f32>;     // [M]
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;      // [M]

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn log_softmax(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let base = group.x * V;
  var highest = -3.4e38;
  for (var i = lane; i < V; i += 64u) { highest = max(highest, logits[base + i]); }
  partial[lane] = highest;
  for (var stride = 32u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (lane < stride) { partial[lane] = max(partial[lane], partial[lane + stride]); }
  }
  workgroupBarrier();
  highest = partial[0];
  workgroupBarrier();
  var sum = 0.0;
  for (var i = lane; i < V; i += 64u) { sum += exp(logits[base + i] - highest); }
  partial[lane] = sum;
  for (var stride = 32u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (lane < stride) { partial[lane] += partial[lane + stride]; }
  }
  if (lane == 0u) {
    let total = highest + log(partial[0]);
    lse[group.x] = total;
    logp[group.x] = logits[base + targets[group.x]] - total;
  }
}
