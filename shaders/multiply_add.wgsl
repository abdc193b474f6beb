// y[i] = the sum of eight chains a = a * factor + term, begun at x[i], x[i] + 1 ... and run for `rounds`: multiply-adds from registers
// alone, which no product can exceed. One invocation per entry.

struct Params { rounds: u32, factor: f32, term: f32 }

@group(0) @binding(0) var<storage, read> x: array<vec4f>;            // [n, 4]
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;      // [n, 4]
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn multiply_add(@builtin(global_invocation_id) id: vec3u) {
  let factor = vec4f(params.factor);
  let term = vec4f(params.term);
  var a0 = x[id.x];
  var a1 = a0 + 1.0;
  var a2 = a0 + 2.0;
  var a3 = a0 + 3.0;
  var a4 = a0 + 4.0;
  var a5 = a0 + 5.0;
  var a6 = a0 + 6.0;
  var a7 = a0 + 7.0;
  for (var round = 0u; round < params.rounds; round += 1u) {
    a0 = fma(a0, factor, term);
    a1 = fma(a1, factor, term);
    a2 = fma(a2, factor, term);
    a3 = fma(a3, factor, term);
    a4 = fma(a4, factor, term);
    a5 = fma(a5, factor, term);
    a6 = fma(a6, factor, term);
    a7 = fma(a7, factor, term);
  }
  y[id.x] = a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7;
}
