// tokens[b] = argmax over v of logits[b, v] / temperature + gumbel(b, v): a draw from the softmax (the Gumbel-max trick); at
// temperature 0 the plain argmax. One workgroup per row. The noise is a function of (seed, streams[b], counts[b], v) alone, by
// Philox 4x32-10 as in src/random.ts. Of equal values the lowest index wins.

override V: u32;                        // row length

struct Params { temperature: f32, seed: u32 }

@group(0) @binding(0) var<storage, read> logits: array<f32>;         // [B, V]
@group(0) @binding(1) var<storage, read> streams: array<u32>;        // [B]
@group(0) @binding(2) var<storage, read> counts: array<u32>;         // [B], tokens drawn before
@group(0) @binding(3) var<storage, read_write> tokens: array<u32>;   // [B]
@group(0) @binding(4) var<uniform> params: Params;

var<workgroup> best_value: array<f32, 64>;
var<workgroup> best_index: array<u32, 64>;

/// The high 32 bits of a product, by 16-bit halves.
fn mul_high(a: u32, b: u32) -> u32 {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let carry = (middle & 0xffffu) + (a & 0xffffu) * (b >> 16u);
  return (a >> 16u) * (b >> 16u) + (middle >> 16u) + (carry >> 16u);
}

fn philox(start: vec4u, start_key: vec2u) -> vec4u {
  var c = start;
  var key = start_key;
  for (var round = 0u; round < 10u; round += 1u) {
    let high0 = mul_high(0xd2511f53u, c.x);
    let high1 = mul_high(0xcd9e8d57u, c.z);
    c = vec4u(high1 ^ c.y ^ key.x, 0xcd9e8d57u * c.z, high0 ^ c.w ^ key.y, 0xd2511f53u * c.x);
    key += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

fn gumbel(word: u32) -> f32 {
  let u = (f32(word >> 9u) + 0.5) / 8388608.0; // 23 bits and a half: exact in f32, never 0 or 1
  return -log(-log(u));
}

@compute @workgroup_size(64)
fn sample_token(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let b = group.x;
  var value = -3.4e38;
  var index = 0xffffffffu;
  for (var quad = lane; quad * 4u < V; quad += 64u) {
    var words = vec4u(0u);
    if (params.temperature > 0.0) { words = philox(vec4u(counts[b], quad, 2u, 0u), vec2u(params.seed, streams[b])); }
    for (var i = 0u; i < min(4u, V - quad * 4u); i += 1u) {
      let v = quad * 4u + i;
      var score = logits[b * V + v];
      if (params.temperature > 0.0) { score = score / params.temperature + gumbel(words[i]); }
      if (score > value || index == 0xffffffffu) {
        value = score;
        index = v;
      }
    }
  }
  best_value[lane] = value;
  best_index[lane] = index;
  for (var stride = 32u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (lane < stride) {
      let other = best_value[lane + stride];
      let mine = best_value[lane];
      if (other > mine || (other == mine && best_index[lane + stride] < best_index[lane])) {
        best_value[lane] = other;
        best_index[lane] = best_index[lane + stride];
      }
    }
  }
  if (lane == 0u) { tokens[b] = min(best_index[0], V - 1u); }
}
