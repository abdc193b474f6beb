// tokens[b] = argmax over v of logits[b, v] / temperature + gumbel(b, v): a draw from the softmax (the Gumbel-max trick); at
// temperature 0 the plain argmax. One workgroup per row. The noise is a function of (seed, streams[b], counts[b], v) alone, by
// Philox 4x32-10 as in src/random.ts. Of equal values the lowest index wins.

override V: u32;                        // row length
override LANES: u32;                    // invocations to a row

struct Params { temperature: f32, seed: u32 }

@group(0) @binding(0) var<storage, read> logits: array<f32>;         // [B, V]
@group(0) @binding(1) var<storage, read> streams: array<u32>;        // [B]
@group(0) @binding(2) var<storage, read> counts: array<u32>;         // [B], tokens drawn before
@group(0) @binding(3) var<storage, read_write> tokens: array<u32>;   // [B]
@group(0) @binding(4) var<uniform> params: Params;

var<workgroup> best_values: array<f32, LANES>;
var<workgroup> best_indices: array<u32, LANES>;

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

// -log(-log(u)) of u = (word / 2^9 + 1/2) / 2^23, which is exact in f32 and never 0 or 1. Near 1 the built-in log may be wrong by
// 2^-21, more than the whole of log(u); there log(u) = -2 atanh(s) by its series, s = (1 - u) / (1 + u) <= 1/3.
fn gumbel(word: u32) -> f32 {
  let u = (f32(word >> 9u) + 0.5) / 8388608.0;
  let s = (1.0 - u) / (1.0 + u);
  let t = s * s;
  let series = 2.0 * s * (1.0 + t * (1.0 / 3.0 + t * (0.2 + t * (1.0 / 7.0 + t * (1.0 / 9.0 + t * (1.0 / 11.0 + t / 13.0))))));
  return -log(select(-log(u), series, u > 0.5));
}

@compute @workgroup_size(LANES)
fn sample_token(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let b = group.x;
  var value = -3.4e38;
  var index = V;
  for (var quad = lane; quad * 4u < V; quad += LANES) {
    var words = vec4u(0u);
    if (params.temperature > 0.0) { words = philox(vec4u(counts[b], quad, 2u, 0u), vec2u(params.seed, streams[b])); }
    for (var i = 0u; i < min(4u, V - quad * 4u); i += 1u) {
      let v = quad * 4u + i;
      var score = logits[b * V + v];
      if (params.temperature > 0.0) { score = score / params.temperature + gumbel(words[i]); }
      if (score > value || index == V) {
        value = score;
        index = v;
      }
    }
  }
  best_values[lane] = value;
  best_indices[lane] = index;
  workgroupBarrier();
  if (lane > 0u) { return; }
  for (var other = 1u; other < LANES; other += 1u) {
    if (best_values[other] > value || (best_values[other] == value && best_indices[other] < index)) {
      value = best_values[other];
      index = best_indices[other];
    }
  }
  tokens[b] = index;
}
