// dq = sum over keys of p * (dp - delta) * k / sqrt(D), p = exp(score - lse), dp = d_o · v (FlashAttention-2's backward). One
// invocation per (token, two heads of a key/value group, 32 columns of dq), 4 keys at a time, as in attention.wgsl.

override HEADS: u32;
override KV_HEADS: u32;
override D: u32;                        // head size, a multiple of 4
override LANES: u32;                    // invocations of a workgroup

struct Params { tokens: u32 }

@group(0) @binding(0) var<storage, read> q: array<vec4f>;            // [T, HEADS * D]
@group(0) @binding(1) var<storage, read> k: array<vec4f>;            // [S, KV_HEADS * D]
@group(0) @binding(2) var<storage, read> v: array<vec4f>;            // [S, KV_HEADS * D]
@group(0) @binding(3) var<storage, read> d_o: array<vec4f>;          // [T, HEADS * D]
@group(0) @binding(4) var<storage, read> stats: array<vec2f>;        // [T, HEADS]: lse, delta
@group(0) @binding(5) var<storage, read> spans: array<vec4u>;        // [T]: prefix start, prefix end, own start, own end
@group(0) @binding(6) var<storage, read_write> dq: array<vec4f>;     // [T, HEADS * D]
@group(0) @binding(7) var<uniform> params: Params;

// Where key j of a token's span lies, in its prefix or in its own segment.
fn slot_of(span: vec4u, j: u32) -> u32 {
  let prefix = span.y - span.x;
  return select(span.z + j - prefix, span.x + j, j < prefix);
}

@compute @workgroup_size(LANES)
fn attention_backward_query(@builtin(global_invocation_id) id: vec3u) {
  let group = HEADS / KV_HEADS;
  let pairs = (group + 1u) / 2u;
  let chunks = (D + 31u) / 32u;
  let units = KV_HEADS * pairs * chunks;
  let t = id.x / units;
  if (t >= params.tokens) { return; }
  let chunk = id.x % chunks;
  let pair = id.x / chunks % pairs;
  let kv = id.x % units / (chunks * pairs);
  let head_a = t * HEADS + kv * group + 2u * pair;
  let head_b = t * HEADS + kv * group + min(2u * pair + 1u, group - 1u);  // an odd group's last pair takes one head twice
  let d4 = D / 4u;
  let row_a = head_a * d4;
  let row_b = head_b * d4;
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
  let span = spans[t];
  let keys = span.y - span.x + span.w - span.z;
  var a0 = vec4f(0.0); var a1 = a0; var a2 = a0; var a3 = a0; var a4 = a0; var a5 = a0; var a6 = a0; var a7 = a0;
  var b0 = vec4f(0.0); var b1 = b0; var b2 = b0; var b3 = b0; var b4 = b0; var b5 = b0; var b6 = b0; var b7 = b0;
  for (var j = 0u; j < keys; j += 4u) {
    let k0 = (slot_of(span, j) * KV_HEADS + kv) * d4;
    let k1 = (slot_of(span, min(j + 1u, keys - 1u)) * KV_HEADS + kv) * d4;
    let k2 = (slot_of(span, min(j + 2u, keys - 1u)) * KV_HEADS + kv) * d4;
    let k3 = (slot_of(span, min(j + 3u, keys - 1u)) * KV_HEADS + kv) * d4;
    var score_a = vec4f(0.0);
    var score_b = vec4f(0.0);
    var dp_a = vec4f(0.0);
    var dp_b = vec4f(0.0);
    for (var i = 0u; i < d4; i += 1u) {
      let key = mat4x4f(k[k0 + i], k[k1 + i], k[k2 + i], k[k3 + i]);
      let value = mat4x4f(v[k0 + i], v[k1 + i], v[k2 + i], v[k3 + i]);
      score_a += q[row_a + i] * key;
      score_b += q[row_b + i] * key;
      dp_a += d_o[row_a + i] * value;
      dp_b += d_o[row_b + i] * value;
    }
    let seen = vec4u(j, j + 1u, j + 2u, j + 3u) < vec4u(keys);
    let a = select(vec4f(0.0), exp(score_a * scale - stats[head_a].x) * (dp_a - stats[head_a].y) * scale, seen);
    let b = select(vec4f(0.0), exp(score_b * scale - stats[head_b].x) * (dp_b - stats[head_b].y) * scale, seen);
    var four = mat4x4f(k[k0 + first], k[k1 + first], k[k2 + first], k[k3 + first]);
    a0 += four * a; b0 += four * b;
    four = mat4x4f(k[k0 + c1], k[k1 + c1], k[k2 + c1], k[k3 + c1]);
    a1 += four * a; b1 += four * b;
    four = mat4x4f(k[k0 + c2], k[k1 + c2], k[k2 + c2], k[k3 + c2]);
    a2 += four * a; b2 += four * b;
    four = mat4x4f(k[k0 + c3], k[k1 + c3], k[k2 + c3], k[k3 + c3]);
    a3 += four * a; b3 += four * b;
    four = mat4x4f(k[k0 + c4], k[k1 + c4], k[k2 + c4], k[k3 + c4]);
    a4 += four * a; b4 += four * b;
    four = mat4x4f(k[k0 + c5], k[k1 + c5], k[k2 + c5], k[k3 + c5]);
    a5 += four * a; b5 += four * b;
    four = mat4x4f(k[k0 + c6], k[k1 + c6], k[k2 + c6], k[k3 + c6]);
    a6 += four * a; b6 += four * b;
    four = mat4x4f(k[k0 + c7], k[k1 + c7], k[k2 + c7], k[k3 + c7]);
    a7 += four * a; b7 += four * b;
  }
  let count = min(8u, d4 - first);
  store(row_a + first, count, a0, a1, a2, a3, a4, a5, a6, a7);
  store(row_b + first, count, b0, b1, b2, b3, b4, b5, b6, b7);
}

fn store(at: u32, count: u32, s0: vec4f, s1: vec4f, s2: vec4f, s3: vec4f, s4: vec4f, s5: vec4f, s6: vec4f, s7: vec4f) {
  dq[at] = s0;
  if (count > 1u) { dq[at + 1u] = s1; }
  if (count > 2u) { dq[at + 2u] = s2; }
  if (count > 3u) { dq[at + 3u] = s3; }
  if (count > 4u) { dq[at + 4u] = s4; }
  if (count > 5u) { dq[at + 5u] = s5; }
  if (count > 6u) { dq[at + 6u] = s6; }
  if (count > 7u) { dq[at + 7u] = s7; }
}
