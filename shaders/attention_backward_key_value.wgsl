// dv = sum over the tokens that see a key of p * d_o, dk = the same of p * (dp - delta) * q / sqrt(D), over all heads of the key's
// group. One invocation per (key, key/value head, 32 columns), 4 rows (a token's head each, from a multiple of 4 on) at a time in the
// order of the tokens, so that no sum needs atomics.

override HEADS: u32;
override KV_HEADS: u32;
override D: u32;                        // head size, a multiple of 4

struct Params { tokens: u32 }

@group(0) @binding(0) var<storage, read> q: array<vec4f>;            // [T, HEADS * D]
@group(0) @binding(1) var<storage, read> k: array<vec4f>;            // [T, KV_HEADS * D]
@group(0) @binding(2) var<storage, read> v: array<vec4f>;            // [T, KV_HEADS * D]
@group(0) @binding(3) var<storage, read> d_o: array<vec4f>;          // [T, HEADS * D]
@group(0) @binding(4) var<storage, read> stats: array<vec2f>;        // [T, HEADS]: lse, delta
@group(0) @binding(5) var<storage, read> readers: array<vec2u>;      // [T]: tokens [from, to) see this key, all of them
@group(0) @binding(6) var<storage, read_write> dk: array<vec4f>;     // [T, KV_HEADS * D]
@group(0) @binding(7) var<storage, read_write> dv: array<vec4f>;     // [T, KV_HEADS * D]
@group(0) @binding(8) var<uniform> params: Params;

// Row r of those that read a key/value head: a token's heads of the group, then the next token's.
fn row_of(kv: u32, r: u32) -> u32 {
  let group = HEADS / KV_HEADS;
  return r / group * HEADS + kv * group + r % group;
}

@compute @workgroup_size(64)
fn attention_backward_key_value(@builtin(global_invocation_id) id: vec3u) {
  let chunks = (D + 31u) / 32u;
  let slot = id.x / (chunks * KV_HEADS);
  if (slot >= params.tokens) { return; }
  let chunk = id.x % chunks;
  let kv = id.x / chunks % KV_HEADS;
  let d4 = D / 4u;
  let key = (slot * KV_HEADS + kv) * d4;
  let first = chunk * 8u;
  let last = d4 - 1u;                   // columns past the end repeat the last and are not stored
  let c1 = min(first + 1u, last);
  let c2 = min(first + 2u, last);
  let c3 = min(first + 3u, last);
  let c4 = min(first + 4u, last);
  let c5 = min(first + 5u, last);
  let c6 = min(first + 6u, last);
  let c7 = min(first + 7u, last);
  let scale = inverseSqrt(f32(D));
  let begin = readers[slot].x * (HEADS / KV_HEADS);
  let end = readers[slot].y * (HEADS / KV_HEADS);
  var dk0 = vec4f(0.0); var dk1 = dk0; var dk2 = dk0; var dk3 = dk0; var dk4 = dk0; var dk5 = dk0; var dk6 = dk0; var dk7 = dk0;
  var dv0 = vec4f(0.0); var dv1 = dv0; var dv2 = dv0; var dv3 = dv0; var dv4 = dv0; var dv5 = dv0; var dv6 = dv0; var dv7 = dv0;
  for (var r = begin / 4u * 4u; r < end; r += 4u) {
    let h0 = row_of(kv, r);
    let h1 = row_of(kv, min(r + 1u, end - 1u));
    let h2 = row_of(kv, min(r + 2u, end - 1u));
    let h3 = row_of(kv, min(r + 3u, end - 1u));
    let r0 = h0 * d4;
    let r1 = h1 * d4;
    let r2 = h2 * d4;
    let r3 = h3 * d4;
    var score = vec4f(0.0);
    var dp = vec4f(0.0);
    for (var i = 0u; i < d4; i += 1u) {
      score += k[key + i] * mat4x4f(q[r0 + i], q[r1 + i], q[r2 + i], q[r3 + i]);
      dp += v[key + i] * mat4x4f(d_o[r0 + i], d_o[r1 + i], d_o[r2 + i], d_o[r3 + i]);
    }
    let four = mat4x2f(stats[h0], stats[h1], stats[h2], stats[h3]);
    let lse = vec2f(1.0, 0.0) * four;
    let delta = vec2f(0.0, 1.0) * four;
    let rows = vec4u(r, r + 1u, r + 2u, r + 3u);
    let p = select(vec4f(0.0), exp(score * scale - lse), (rows >= vec4u(begin)) & (rows < vec4u(end)));
    let dscore = p * (dp - delta) * scale;
    dk0 += mat4x4f(q[r0 + first], q[r1 + first], q[r2 + first], q[r3 + first]) * dscore;
    dv0 += mat4x4f(d_o[r0 + first], d_o[r1 + first], d_o[r2 + first], d_o[r3 + first]) * p;
    dk1 += mat4x4f(q[r0 + c1], q[r1 + c1], q[r2 + c1], q[r3 + c1]) * dscore;
    dv1 += mat4x4f(d_o[r0 + c1], d_o[r1 + c1], d_o[r2 + c1], d_o[r3 + c1]) * p;
    dk2 += mat4x4f(q[r0 + c2], q[r1 + c2], q[r2 + c2], q[r3 + c2]) * dscore;
    dv2 += mat4x4f(d_o[r0 + c2], d_o[r1 + c2], d_o[r2 + c2], d_o[r3 + c2]) * p;
    dk3 += mat4x4f(q[r0 + c3], q[r1 + c3], q[r2 + c3], q[r3 + c3]) * dscore;
    dv3 += mat4x4f(d_o[r0 + c3], d_o[r1 + c3], d_o[r2 + c3], d_o[r3 + c3]) * p;
    dk4 += mat4x4f(q[r0 + c4], q[r1 + c4], q[r2 + c4], q[r3 + c4]) * dscore;
    dv4 += mat4x4f(d_o[r0 + c4], d_o[r1 + c4], d_o[r2 + c4], d_o[r3 + c4]) * p;
    dk5 += mat4x4f(q[r0 + c5], q[r1 + c5], q[r2 + c5], q[r3 + c5]) * dscore;
    dv5 += mat4x4f(d_o[r0 + c5], d_o[r1 + c5], d_o[r2 + c5], d_o[r3 + c5]) * p;
    dk6 += mat4x4f(q[r0 + c6], q[r1 + c6], q[r2 + c6], q[r3 + c6]) * dscore;
    dv6 += mat4x4f(d_o[r0 + c6], d_o[r1 + c6], d_o[r2 + c6], d_o[r3 + c6]) * p;
    dk7 += mat4x4f(q[r0 + c7], q[r1 + c7], q[r2 + c7], q[r3 + c7]) * dscore;
    dv7 += mat4x4f(d_o[r0 + c7], d_o[r1 + c7], d_o[r2 + c7], d_o[r3 + c7]) * p;
  }
  let at = key + first;
  let count = min(8u, d4 - first);
  dk[at] = dk0;
  dv[at] = dv0;
  if (count > 1u) { dk[at + 1u] = dk1; dv[at + 1u] = dv1; }
  if (count > 2u) { dk[at + 2u] = dk2; dv[at + 2u] = dv2; }
  if (count > 3u) { dk[at + 3u] = dk3; dv[at + 3u] = dv3; }
  if (count > 4u) { dk[at + 4u] = dk4; dv[at + 4u] = dv4; }
  if (count > 5u) { dk[at + 5u] = dk5; dv[at + 5u] = dv5; }
  if (count > 6u) { dk[at + 6u] = dk6; dv[at + 6u] = dv6; }
  if (count > 7u) { dk[at + 7u] = dk7; dv[at + 7u] = dv7; }
}
