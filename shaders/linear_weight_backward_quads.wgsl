enable subgroups;

// linear_weight_backward for adapters that compute on the processor: a barrier costs them more than a sum. One invocation per tile of
// dweight of 8 rows and a vec4 of columns; the lanes of a quad show each other eight values of a row of dy. It adds up what there are 16
// lanes for in linear_weight_backward.wgsl, one after another and in the order of their tree: every entry is the same to the bit.

override LANES: u32;                    // invocations of a workgroup, whole quads

struct Params {
  rows: u32,
  scale: f32,
  column: u32,                          // the first column of dy that is read
  width: u32,                           // columns of dy
  K: u32,                               // columns of x, a multiple of 4
  N: u32,                               // rows of dweight
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;             // [rows, width]
@group(0) @binding(1) var<storage, read> x: array<vec4f>;            // [rows, K]
@group(0) @binding(2) var<storage, read_write> dweight: array<vec4f>; // [N, K]
@group(0) @binding(3) var<uniform> params: Params;

struct Tile { r0: vec4f, r1: vec4f, r2: vec4f, r3: vec4f, r4: vec4f, r5: vec4f, r6: vec4f, r7: vec4f }

fn plus(a: Tile, b: Tile) -> Tile {
  return Tile(a.r0 + b.r0, a.r1 + b.r1, a.r2 + b.r2, a.r3 + b.r3, a.r4 + b.r4, a.r5 + b.r5, a.r6 + b.r6, a.r7 + b.r7);
}

fn store(n: u32, column: u32, sum: vec4f) {
  let q = params.K / 4u;
  if (n < params.N && column < q) { dweight[n * q + column] += params.scale * sum; }
}

@compute @workgroup_size(LANES)
fn linear_weight_backward_quads(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_invocation_id) invocation: u32,
) {
  let q = params.K / 4u;
  let column = group.x * LANES + local;          // in vec4s
  let read = min(column, q - 1u);                // columns and rows past the end repeat the last one and are not stored
  let n = group.y * 8u;
  let lane = invocation % 4u;
  let low = params.column + min(n + lane, params.N - 1u);
  let high = params.column + min(n + 4u + lane, params.N - 1u);
  var all = Tile();
  for (var i = 0u; i < 2u; i += 1u) {
    var eight = Tile();
    for (var j = i; j < 4u; j += 2u) {
      var four = Tile();
      for (var k = j; k < 8u; k += 4u) {
        var two = Tile();
        for (var l = k; l < 16u; l += 8u) {
          var r0 = vec4f(0.0); var r1 = r0; var r2 = r0; var r3 = r0; var r4 = r0; var r5 = r0; var r6 = r0; var r7 = r0;
          for (var row = l; row < params.rows; row += 16u) {
            let v = x[row * q + read];
            let y = dy[row * params.width + low];
            let z = dy[row * params.width + high];
            r0 += quadBroadcast(y, 0u) * v;
            r1 += quadBroadcast(y, 1u) * v;
            r2 += quadBroadcast(y, 2u) * v;
            r3 += quadBroadcast(y, 3u) * v;
            r4 += quadBroadcast(z, 0u) * v;
            r5 += quadBroadcast(z, 1u) * v;
            r6 += quadBroadcast(z, 2u) * v;
            r7 += quadBroadcast(z, 3u) * v;
          }
          two = plus(two, Tile(r0, r1, r2, r3, r4, r5, r6, r7));
        }
        four = plus(four, two);
      }
      eight = plus(eight, four);
    }
    all = plus(all, eight);
  }
  store(n, column, all.r0);
  store(n + 1u, column, all.r1);
  store(n + 2u, column, all.r2);
  store(n + 3u, column, all.r3);
  store(n + 4u, column, all.r4);
  store(n + 5u, column, all.r5);
  store(n + 6u, column, all.r6);
  store(n + 7u, column, all.r7);
}
