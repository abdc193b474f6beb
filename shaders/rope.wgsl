// Queries, keys and values apart, from the rows of their common product; queries and keys with rotary positions, halves split:
// (x[i], x[i + D/2]) turns by its position's angle i. Keys and values of row t go to row slots[t]. With NORM, each head of q and k
// first goes through rms_norm. One invocation per pair. The angles' cosines and sines come from a table: sin() is only good to 2^-11
// by WGSL's rules.

override HEADS: u32;
override KV_HEADS: u32;
override D: u32;                        // head size, a multiple of 4
override NORM: bool = false;
override EPS: f32 = 0.0;

@group(0) @binding(0) var<storage, read> qkv: array<f32>;            // [T, (HEADS + 2 KV_HEADS) * D]
@group(0) @binding(1) var<storage, read> norms: array<f32>;          // [2, D]: the norm's weights for q and for k
@group(0) @binding(2) var<storage, read> positions: array<u32>;      // [T]
@group(0) @binding(3) var<storage, read> slots: array<u32>;          // [T], no slot twice
@group(0) @binding(4) var<storage, read> rotary: array<f32>;         // [P, D]: D/2 cosines, then D/2 sines of each position
@group(0) @binding(5) var<storage, read_write> q: array<f32>;        // [T, HEADS * D]
@group(0) @binding(6) var<storage, read_write> k: array<f32>;        // [S, KV_HEADS * D]
@group(0) @binding(7) var<storage, read_write> v: array<f32>;        // [S, KV_HEADS * D]

// 1 / rms of the head that begins at x.
fn reciprocal_rms(x: u32) -> f32 {
  var squares = vec4f(0.0);
  for (var i = x; i < x + D; i += 4u) {
    let four = vec4f(qkv[i], qkv[i + 1u], qkv[i + 2u], qkv[i + 3u]);
    squares += four * four;
  }
  return inverseSqrt(dot(squares, vec4f(1.0)) / f32(D) + EPS);
}

@compute @workgroup_size(64)
fn rope(@builtin(global_invocation_id) id: vec3u) {
  let half = D / 2u;
  let head = id.x / half;
  let i = id.x % half;
  let t = id.y;
  if (head >= HEADS + 2u * KV_HEADS) { return; }
  let x = (t * (HEADS + 2u * KV_HEADS) + head) * D;
  var a = qkv[x + i];
  var b = qkv[x + i + half];
  if (head >= HEADS + KV_HEADS) {
    let y = (slots[t] * KV_HEADS + head - HEADS - KV_HEADS) * D + i;
    v[y] = a;
    v[y + half] = b;
    return;
  }
  let of_key = head >= HEADS;
  if (NORM) {
    let r = reciprocal_rms(x);
    let weight = select(0u, D, of_key) + i;
    a = a * r * norms[weight];
    b = b * r * norms[weight + half];
  }
  let angle = positions[t] * D + i;
  let cosine = rotary[angle];
  let sine = rotary[angle + half];
  if (of_key) {
    let y = (slots[t] * KV_HEADS + head - HEADS) * D + i;
    k[y] = a * cosine - b * sine;
    k[y + half] = b * cosine + a * sine;
  } else {
    let y = (t * HEADS + head) * D + i;
    q[y] = a * cosine - b * sine;
    q[y + half] = b * cosine + a * sine;
  }
}
