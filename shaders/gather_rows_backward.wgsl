// dx[t] = sum of weight[m] * dy[m] over the rows m that were gathered from t, in the order of `order`. One invocation per entry of dx.

override C: u32;                        // columns

@group(0) @binding(0) var<storage, read> dy: array<f32>;             // [M, C]
@group(0) @binding(1) var<storage, read> weight: array<f32>;         // [M]
@group(0) @binding(2) var<storage, read> order: array<u32>;          // [M], rows sorted by the token they came from
@group(0) @binding(3) var<storage, read> starts: array<u32>;         // [T + 1], where each token's rows begin in `order`
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;       // [T, C]

@compute @workgroup_size(64)
fn gather_rows_backward(@builtin(global_invocation_id) id: vec3u) {
  let c = id.x;
  let t = id.y;
  if (c >= C) { return; }
  var sum = 0.0;
  for (var i = starts[t]; i < starts[t + 1u]; i += 1u) {
    let m = order[i];
    sum += weight[m] * dy[m * C + c];
  }
  dx[t * C + c] = sum;
}
