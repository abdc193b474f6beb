// The attention of decoding on a graphics card, one new token to a sequence: its q and k are normed and turned as in rope.wgsl, k and
// v go to their slot, and a workgroup takes one token, one key/value head and one chunk of the token's keys. Chunks lie at fixed places
// of the token's span, so that its result does not depend on the batch; attention_join.wgsl adds them up. Where there is one chunk
// only (DIRECT), parts is o itself [T, HEADS * D].

override HEADS: u32;
override KV_HEADS: u32;
override D: u32;                        // head size, a multiple of 4
override NORM: bool = false;
override EPS: f32 = 0.0;
override DIRECT: bool = false;

struct Params { chunks: u32 }

@group(0) @binding(0) var<storage, read> qkv: array<f32>;            // [T, (HEADS + 2 KV_HEADS) * D]
@group(0) @binding(1) var<storage, read> norms: array<f32>;          // [2, D]: the norm's weights for q and for k
@group(0) @binding(2) var<storage, read> positions: array<u32>;      // [T]
@group(0) @binding(3) var<storage, read> spans: array<vec4u>;        // [T]: prefix start, prefix end, own start, own end: the new slot is the last
@group(0) @binding(4) var<storage, read> rotary: array<f32>;         // [P, D]: D/2 cosines, then D/2 sines of each position
@group(0) @binding(5) var<storage, read_write> k: array<f32>;        // [S, KV_HEADS * D]
@group(0) @binding(6) var<storage, read_write> v: array<f32>;        // [S, KV_HEADS * D]
@group(0) @binding(7) var<storage, read_write> parts: array<f32>;    // [T, chunks, HEADS, D + 2]: unscaled sums, highest score, total
@group(0) @binding(8) var<uniform> params: Params;

const CHUNK = 128u;
const LANES = 64u;
const SHARES = 8u;                      // lanes that share a head's maximum and total

override GROUP = HEADS / KV_HEADS;

var<workgroup> queries: array<f32, GROUP * D>;
var<workgroup> scores: array<f32, GROUP * CHUNK>;
var<workgroup> shares: array<f32, GROUP * SHARES>;
var<workgroup> highest: array<f32, GROUP>;

// Where key j of a token's span lies, in its prefix or in its own segment.
fn slot_of(span: vec4u, j: u32) -> u32 {
  let prefix = span.y - span.x;
  return select(span.z + j - prefix, span.x + j, j < prefix);
}

// Entries i and i + D/2 of a head of q or k of token t, normed and turned.
fn turned(t: u32, head: u32, i: u32) -> vec2f {
  let half = D / 2u;
  let x = (t * (HEADS + 2u * KV_HEADS) + head) * D;
  var a = qkv[x + i];
  var b = qkv[x + i + half];
  if (NORM) {
    var squares = vec4f(0.0);
    for (var c = x; c < x + D; c += 4u) {
      let four = vec4f(qkv[c], qkv[c + 1u], qkv[c + 2u], qkv[c + 3u]);
      squares += four * four;
    }
    let r = inverseSqrt(dot(squares, vec4f(1.0)) / f32(D) + EPS);
    let weight = select(0u, D, head >= HEADS) + i;
    a = a * r * norms[weight];
    b = b * r * norms[weight + half];
  }
  let angle = positions[t] * D + i;
  let cosine = rotary[angle];
  let sine = rotary[angle + half];
  return vec2f(a * cosine - b * sine, b * cosine + a * sine);
}

@compute @workgroup_size(64)
fn attention_split(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let chunk = id.x;
  let t = id.y;
  let kv = id.z;
  let half = D / 2u;
  let span = spans[t];
  let keys = span.y - span.x + span.w - span.z;
  let first = chunk * CHUNK;
  if (first >= keys) { return; }        // a shorter token's chunk: never read
  let count = min(CHUNK, keys - first);
  if (first + count == keys) {
    let slot = ((span.w - 1u) * KV_HEADS + kv) * D;
    for (var i = lane; i < half; i += LANES) {
      let pair = turned(t, HEADS + kv, i);
      k[slot + i] = pair.x;
      k[slot + i + half] = pair.y;
    }
    let value = (t * (HEADS + 2u * KV_HEADS) + HEADS + KV_HEADS + kv) * D;
    for (var i = lane; i < D; i += LANES) { v[slot + i] = qkv[value + i]; }
  }
  for (var i = lane; i < GROUP * half; i += LANES) {
    let pair = turned(t, kv * GROUP + i / half, i % half);
    queries[i / half * D + i % half] = pair.x;
    queries[i / half * D + i % half + half] = pair.y;
  }
  storageBarrier();
  workgroupBarrier();
  let scale = inverseSqrt(f32(D));
  for (var s = lane; s < count; s += LANES) {
    let key = (slot_of(span, first + s) * KV_HEADS + kv) * D;
    for (var h = 0u; h < GROUP; h += 1u) {
      var score = 0.0;
      for (var i = 0u; i < D; i += 1u) { score += queries[h * D + i] * k[key + i]; }
      scores[h * CHUNK + s] = score * scale;
    }
  }
  workgroupBarrier();
  for (var i = lane; i < GROUP * SHARES; i += LANES) {
    var value = -3.4e38;
    for (var s = i % SHARES; s < count; s += SHARES) { value = max(value, scores[i / SHARES * CHUNK + s]); }
    shares[i] = value;
  }
  workgroupBarrier();
  for (var h = lane; h < GROUP; h += LANES) {
    var value = shares[h * SHARES];
    for (var i = 1u; i < SHARES; i += 1u) { value = max(value, shares[h * SHARES + i]); }
    highest[h] = value;
  }
  workgroupBarrier();
  for (var i = lane; i < GROUP * SHARES; i += LANES) {
    var total = 0.0;
    for (var s = i % SHARES; s < count; s += SHARES) {
      let p = exp(scores[i / SHARES * CHUNK + s] - highest[i / SHARES]);
      scores[i / SHARES * CHUNK + s] = p;
      total += p;
    }
    shares[i] = total;
  }
  workgroupBarrier();
  for (var e = lane; e < GROUP * D; e += LANES) {
    let h = e / D;
    var sum = 0.0;
    for (var s = 0u; s < count; s += 1u) {
      sum += scores[h * CHUNK + s] * v[(slot_of(span, first + s) * KV_HEADS + kv) * D + e % D];
    }
    var total = 0.0;
    for (var i = 0u; i < SHARES; i += 1u) { total += shares[h * SHARES + i]; }
    let head = kv * GROUP + h;
    if (DIRECT) {
      parts[(t * HEADS + head) * D + e % D] = sum / total;
      continue;
    }
    let part = ((t * params.chunks + chunk) * HEADS + head) * (D + 2u);
    parts[part + e % D] = sum;
    if (e % D == 0u) {
      parts[part + D] = highest[h];
      parts[part + D + 1u] = total;
    }
  }
}
