// logp[m] = logits[m, targets[m]] - lse[m], lse[m] = log sum exp of the row. One workgroup per row; each lane keeps a maximum and a
// sum below it of its own entries, and the first adds them up in the lanes' order.

override V: u32;                        // row length
override LANES: u32;                    // invocations to a row

@group(0) @binding(0) var<storage, read> logits: array<f32>;         // [M, V]
@group(0) @binding(1) var<storage, read> targets: array<u32>;        // [M]
@group(0) @binding(2) var<storage, read_write> logp: array<f32>;     // [M]
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;      // [M]

var<workgroup> maxima: array<f32, LANES>;
var<workgroup> sums: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn log_softmax(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = group.x;
  let base = m * V;
  var highest = -3.4e38;
  for (var v = lane; v < V; v += LANES) { highest = max(highest, logits[base + v]); }
  var sum = 0.0;
  for (var v = lane; v < V; v += LANES) { sum += exp(logits[base + v] - highest); }
  maxima[lane] = highest;
  sums[lane] = sum;
  workgroupBarrier();
  if (lane > 0u) { return; }
  for (var other = 1u; other < LANES; other += 1u) { highest = max(highest, maxima[other]); }
  var total = 0.0;
  for (var other = 0u; other < LANES; other += 1u) { total += sums[other] * exp(maxima[other] - highest); }
  lse[m] = highest + log(total);
  logp[m] = logits[base + targets[m]] - lse[m];
}
