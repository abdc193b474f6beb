// o = softmax(q kᵀ / sqrt(D)) v over the keys that a token sees, by the online softmax (Milakov & Gimelshein 2018); the log-sum-exp
// is kept for the backward pass. One invocation per (token, two heads of a key/value group, 32 columns of o): 4 keys at a time are
// scored and added up in registers. Keys come in the order of the token's span, so that its result does not depend on the pack.

override HEADS: u32;
override KV_HEADS: u32;
override D: u32;                        // head size, a multiple of 4
override LANES: u32;                    // invocations of a workgroup

struct Params { tokens: u32 }

@group(0) @binding(0) var<storage, read> q: array<vec4f>;            // [T, HEADS * D]
@group(0) @binding(1) var<storage, read> k: array<vec4f>;            // [S, KV_HEADS * D]
@group(0) @binding(2) var<storage, read> v: array<vec4f>;            // [S, KV_HEADS * D]
@group(0) @binding(3) var<storage, read> spans: array<vec4u>;        // [T]: prefix start, prefix end, own start, own end
@group(0) @binding(4) var<storage, read_write> o: array<vec4f>;      // [T, HEADS * D]
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;      // [T, HEADS]
@group(0) @binding(6) var<uniform> params: Params;

// Where key j of a token's span lies, in its prefix or in its own segment.
fn slot_of(span: vec4u, j: u32) -> u32 {
  let prefix = span.y - span.x;
  return select(span.z + j - prefix, span.x + j, j < prefix);
}

@compute @workgroup_size(LANES)
fn attention(@builtin(global_invocation_id) id: vec3u) {
  let group = HEADS / KV_HEADS;
  let pairs = (group + 1u) / 2u;
  let chunks = (D + 31u) / 32u;
  let units = KV_HEADS * pairs * chunks;
  let t = id.x / units;
  if (t >= params.tokens) { return; }
  let chunk = id.x % chunks;
  let pair = id.x / chunks % pairs;
  let kv = id.x % units / (chunks * pairs);
  let head_a = kv * group + 2u * pair;
  let head_b = kv * group + min(2u * pair + 1u, group - 1u);     // an odd group's last pair takes one head twice
  let d4 = D / 4u;
  let row_a = (t * HEADS + head_a) * d4;
  let row_b = (t * HEADS + head_b) * d4;
  let first = chunk * 8u;
  let last = d4 - 1u;                                            // columns past the end repeat the last and are not stored
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
  var highest = vec2f(-3.4e38);
  var total = vec2f(0.0);
  var a0 = vec4f(0.0); var a1 = a0; var a2 = a0; var a3 = a0; var a4 = a0; var a5 = a0; var a6 = a0; var a7 = a0;
  var b0 = a0; var b1 = a0; var b2 = a0; var b3 = a0; var b4 = a0; var b5 = a0; var b6 = a0; var b7 = a0;
  for (var j = 0u; j < keys; j += 4u) {
    let k0 = (slot_of(span, j) * KV_HEADS + kv) * d4;
    let k1 = (slot_of(span, min(j + 1u, keys - 1u)) * KV_HEADS + kv) * d4;
    let k2 = (slot_of(span, min(j + 2u, keys - 1u)) * KV_HEADS + kv) * d4;
    let k3 = (slot_of(span, min(j + 3u, keys - 1u)) * KV_HEADS + kv) * d4;
    var score_a = vec4f(0.0);
    var score_b = vec4f(0.0);
    for (var i = 0u; i < d4; i += 1u) {
      let four = mat4x4f(k[k0 + i], k[k1 + i], k[k2 + i], k[k3 + i]);
      score_a += q[row_a + i] * four;
      score_b += q[row_b + i] * four;
    }
    let seen = vec4u(j, j + 1u, j + 2u, j + 3u) < vec4u(keys);
    score_a = select(vec4f(-3.4e38), score_a * scale, seen);
    score_b = select(vec4f(-3.4e38), score_b * scale, seen);
    let pair_a = max(score_a.xy, score_a.zw);
    let pair_b = max(score_b.xy, score_b.zw);
    let higher = max(highest, vec2f(max(pair_a.x, pair_a.y), max(pair_b.x, pair_b.y)));
    let shrink = exp(highest - higher);
    let p_a = exp(score_a - higher.x);
    let p_b = exp(score_b - higher.y);
    highest = higher;
    total = total * shrink + vec2f(dot(p_a, vec4f(1.0)), dot(p_b, vec4f(1.0)));
    var four = mat4x4f(v[k0 + first], v[k1 + first], v[k2 + first], v[k3 + first]);
    a0 = a0 * shrink.x + four * p_a; b0 = b0 * shrink.y + four * p_b;
    four = mat4x4f(v[k0 + c1], v[k1 + c1], v[k2 + c1], v[k3 + c1]);
    a1 = a1 * shrink.x + four * p_a; b1 = b1 * shrink.y + four * p_b;
    four = mat4x4f(v[k0 + c2], v[k1 + c2], v[k2 + c2], v[k3 + c2]);
    a2 = a2 * shrink.x + four * p_a; b2 = b2 * shrink.y + four * p_b;
    four = mat4x4f(v[k0 + c3], v[k1 + c3], v[k2 + c3], v[k3 + c3]);
    a3 = a3 * shrink.x + four * p_a; b3 = b3 * shrink.y + four * p_b;
    four = mat4x4f(v[k0 + c4], v[k1 + c4], v[k2 + c4], v[k3 + c4]);
    a4 = a4 * shrink.x + four * p_a; b4 = b4 * shrink.y + four * p_b;
    four = mat4x4f(v[k0 + c5], v[k1 + c5], v[k2 + c5], v[k3 + c5]);
    a5 = a5 * shrink.x + four * p_a; b5 = b5 * shrink.y + four * p_b;
    four = mat4x4f(v[k0 + c6], v[k1 + c6], v[k2 + c6], v[k3 + c6]);
    a6 = a6 * shrink.x + four * p_a; b6 = b6 * shrink.y + four * p_b;
    four = mat4x4f(v[k0 + c7], v[k1 + c7], v[k2 + c7], v[k3 + c7]);
    a7 = a7 * shrink.x + four * p_a; b7 = b7 * shrink.y + four * p_b;
  }
  let end = min(8u, d4 - first);
  store(row_a + first, end, total.x, a0, a1, a2, a3, a4, a5, a6, a7);
  store(row_b + first, end, total.y, b0, b1, b2, b3, b4, b5, b6, b7);
  if (chunk == 0u) {
    lse[t * HEADS + head_a] = highest.x + log(total.x);
    lse[t * HEADS + head_b] = highest.y + log(total.y);
  }
}

fn store(at: u32, count: u32, total: f32, s0: vec4f, s1: vec4f, s2: vec4f, s3: vec4f, s4: vec4f, s5: vec4f, s6: vec4f, s7: vec4f) {
  o[at] = s0 / total;
  if (count > 1u) { o[at + 1u] = s1 / total; }
  if (count > 2u) { o[at + 2u] = s2 / total; }
  if (count > 3u) { o[at + 3u] = s3 / total; }
  if (count > 4u) { o[at + 4u] = s4 / total; }
  if (count > 5u) { o[at + 5u] = s5 / total; }
  if (count > 6u) { o[at + 6u] = s6 / total; }
  if (count > 7u) { o[at + 7u] = s7 / total; }
}
