// statistics[m] = (mean of the row's logits, entropy of its softmax, 1 if the target has the largest logit else 0, 0). One workgroup per
// row as in log_softmax, whose lse it takes: every term of the entropy, p (lse - logit), is positive, so nothing cancels. Of equal
// logits the lowest index is the largest.

override V: u32;                        // row length
override LANES: u32;                    // invocations to a row

@group(0) @binding(0) var<storage, read> logits: array<f32>;             // [M, V]
@group(0) @binding(1) var<storage, read> lse: array<f32>;                // [M]
@group(0) @binding(2) var<storage, read> targets: array<u32>;            // [M]
@group(0) @binding(3) var<storage, read_write> statistics: array<f32>;   // [M, 4]

var<workgroup> sums: array<f32, LANES>;
var<workgroup> entropies: array<f32, LANES>;
var<workgroup> best_values: array<f32, LANES>;
var<workgroup> best_indices: array<u32, LANES>;

@compute @workgroup_size(LANES)
fn row_statistics(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = group.x;
  let base = m * V;
  let row_lse = lse[m];
  var sum = 0.0;
  var entropy = 0.0;
  var value = -3.4e38;
  var index = V;
  for (var v = lane; v < V; v += LANES) {
    let logit = logits[base + v];
    sum += logit;
    entropy += exp(logit - row_lse) * (row_lse - logit);
    if (logit > value) {
      value = logit;
      index = v;
    }
  }
  sums[lane] = sum;
  entropies[lane] = entropy;
  best_values[lane] = value;
  best_indices[lane] = index;
  workgroupBarrier();
  if (lane > 0u) { return; }
  for (var other = 1u; other < LANES; other += 1u) {
    sum += sums[other];
    entropy += entropies[other];
    if (best_values[other] > value || (best_values[other] == value && best_indices[other] < index)) {
      value = best_values[other];
      index = best_indices[other];
    }
  }
  statistics[4u * m] = sum / f32(V);
  statistics[4u * m + 1u] = entropy;
  statistics[4u * m + 2u] = select(0.0, 1.0, index == targets[m]);
  statistics[4u * m + 3u] = 0.0;
}
