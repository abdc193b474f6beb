// dweight += scale * dyᵀ x: the gradient of linear's weight, added to what earlier packs of the batch left there. One invocation
// per 4x4 tile of dweight, summed over the rows in order.

override K: u32;                        // columns of x, a multiple of 4
override N: u32;                        // columns of dy

struct Params { rows: u32, scale: f32 }

@group(0) @binding(0) var<storage, read> dy: array<f32>;             // [rows, N]
@group(0) @binding(1) var<storage, read> x: array<vec4f>;            // [rows, K]
@group(0) @binding(2) var<storage, read_write> dweight: array<vec4f>; // [N, K]
@group(0) @binding(3) var<uniform> params: Params;

fn store(n: u32, column: u32, sums: vec4f) {
  if (n < N) { dweight[n * (K / 4u) + column] += params.scale * sums; }
}

@compute @workgroup_size(8, 8)
fn linear_weight_backward(@builtin(global_invocation_id) id: vec3u) {
  let q = K / 4u;
  let column = id.x;                    // in vec4s
  let n = id.y * 4u;
  if (column >= q || n >= N) { return; }
  // Columns of dy past the end repeat the last one and are not stored.
  let n1 = min(n + 1u, N - 1u);
  let n2 = min(n + 2u, N - 1u);
  let n3 = min(n + 3u, N - 1u);
  var d0 = vec4f(0.0);
  var d1 = vec4f(0.0);
  var d2 = vec4f(0.0);
  var d3 = vec4f(0.0);
  for (var row = 0u; row < params.rows; row += 1u) {
    let v = x[row * q + column];
    let y = row * N;
    d0 += dy[y + n] * v;
    d1 += dy[y + n1] * v;
    d2 += dy[y + n2] * v;
    d3 += dy[y + n3] * v;
  }
  store(n, column, d0);
  store(n + 1u, column, d1);
  store(n + 2u, column, d2);
  store(n + 3u, column, d3);
}
