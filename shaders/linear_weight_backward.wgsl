// dweight += scale * dyᵀ x: the gradient of linear's weight, added to what earlier packs of the batch left there. A workgroup takes
// a 4x16 tile of dweight; its 16 lanes per vec4 column share the rows between them and add up in a fixed tree. The tall and skinny
// products of LoRA have few entries and many rows: an invocation per entry would leave most of the GPU idle.

override K: u32;                        // columns of x, a multiple of 4
override N: u32;                        // rows of dweight

struct Params {
  rows: u32,
  scale: f32,
  column: u32,                          // the first column of dy that is read
  width: u32,                           // columns of dy
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;             // [rows, width]
@group(0) @binding(1) var<storage, read> x: array<vec4f>;            // [rows, K]
@group(0) @binding(2) var<storage, read_write> dweight: array<vec4f>; // [N, K]
@group(0) @binding(3) var<uniform> params: Params;

const LANES = 16u;

var<workgroup> partial: array<array<vec4f, 4>, 64>;

@compute @workgroup_size(4, 16)
fn linear_weight_backward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let q = K / 4u;
  let column = min(group.x * 4u + local.x, q - 1u);   // in vec4s; past the end the last one again, not stored
  let n = group.y * 4u;
  let n1 = min(n + 1u, N - 1u);
  let n2 = min(n + 2u, N - 1u);
  let n3 = min(n + 3u, N - 1u);
  var d0 = vec4f(0.0);
  var d1 = vec4f(0.0);
  var d2 = vec4f(0.0);
  var d3 = vec4f(0.0);
  for (var row = local.y; row < params.rows; row += LANES) {
    let v = x[row * q + column];
    let y = row * params.width + params.column;
    d0 += dy[y + n] * v;
    d1 += dy[y + n1] * v;
    d2 += dy[y + n2] * v;
    d3 += dy[y + n3] * v;
  }
  let lane = local.y * 4u + local.x;
  partial[lane] = array<vec4f, 4>(d0, d1, d2, d3);
  for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (local.y < stride) {
      for (var i = 0u; i < 4u; i += 1u) { partial[lane][i] += partial[lane + 4u * stride][i]; }
    }
  }
  if (local.y != 0u || group.x * 4u + local.x >= q) { return; }
  for (var i = 0u; i < min(4u, N - n); i += 1u) { dweight[(n + i) * q + column] += params.scale * partial[lane][i]; }
}
