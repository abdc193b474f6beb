// The gradient of rope: dq and dk turned back by their positions' angles and, with NORM, taken back through the norm of each head;
// dv as it is; side by side as in qkv. One invocation per token and head. Slots are not undone, as in training a token's slot is its
// own row.

override HEADS: u32;
override KV_HEADS: u32;
override D: u32;                        // head size, a multiple of 4
override NORM: bool = false;
override EPS: f32 = 0.0;

struct Params { tokens: u32 }

@group(0) @binding(0) var<storage, read> dq: array<f32>;             // [T, HEADS * D]
@group(0) @binding(1) var<storage, read> dk: array<f32>;             // [T, KV_HEADS * D]
@group(0) @binding(2) var<storage, read> dv: array<f32>;             // [T, KV_HEADS * D]
@group(0) @binding(3) var<storage, read> qkv: array<f32>;            // [T, (HEADS + 2 KV_HEADS) * D], read with NORM alone
@group(0) @binding(4) var<storage, read> norms: array<f32>;          // [2, D]: the norm's weights for q and for k
@group(0) @binding(5) var<storage, read> positions: array<u32>;      // [T]
@group(0) @binding(6) var<storage, read> rotary: array<f32>;         // [P, D]: D/2 cosines, then D/2 sines of each position
@group(0) @binding(7) var<storage, read_write> dqkv: array<f32>;     // [T, (HEADS + 2 KV_HEADS) * D]
@group(0) @binding(8) var<uniform> params: Params;

// Entries i and i + D/2 of the gradient of a head of q or k, turned back.
fn turned_back(of_key: bool, y: u32, angle: u32, i: u32) -> vec2f {
  let half = D / 2u;
  var a: f32;
  var b: f32;
  if (of_key) {
    a = dk[y + i];
    b = dk[y + i + half];
  } else {
    a = dq[y + i];
    b = dq[y + i + half];
  }
  let cosine = rotary[angle + i];
  let sine = rotary[angle + i + half];
  return vec2f(a * cosine + b * sine, b * cosine - a * sine);
}

@compute @workgroup_size(32)
fn rope_backward(@builtin(global_invocation_id) id: vec3u) {
  let half = D / 2u;
  let all = HEADS + 2u * KV_HEADS;
  let t = id.x / all;
  let head = id.x % all;
  if (t >= params.tokens) { return; }
  let x = (t * all + head) * D;
  if (head >= HEADS + KV_HEADS) {
    let y = (t * KV_HEADS + head - HEADS - KV_HEADS) * D;
    for (var i = 0u; i < D; i += 1u) { dqkv[x + i] = dv[y + i]; }
    return;
  }
  let of_key = head >= HEADS;
  let y = select((t * HEADS + head) * D, (t * KV_HEADS + head - HEADS) * D, of_key);
  let angle = positions[t] * D;
  if (!NORM) {
    for (var i = 0u; i < half; i += 1u) {
      let pair = turned_back(of_key, y, angle, i);
      dqkv[x + i] = pair.x;
      dqkv[x + i + half] = pair.y;
    }
    return;
  }
  let weight = select(0u, D, of_key);
  var squares = vec2f(0.0);
  var products = vec2f(0.0);
  for (var i = 0u; i < half; i += 1u) {
    let values = vec2f(qkv[x + i], qkv[x + i + half]);
    squares += values * values;
    products += values * vec2f(norms[weight + i], norms[weight + i + half]) * turned_back(of_key, y, angle, i);
  }
  let r = inverseSqrt((squares.x + squares.y) / f32(D) + EPS);
  let mean = (products.x + products.y) / f32(D);
  for (var i = 0u; i < half; i += 1u) {
    let pair = turned_back(of_key, y, angle, i);
    dqkv[x + i] = r * (norms[weight + i] * pair.x - qkv[x + i] * (r * r * mean));
    dqkv[x + i + half] = r * (norms[weight + i + half] * pair.y - qkv[x + i + half] * (r * r * mean));
  }
}
