enable subgroups;

// attention_backward_key_value for adapters on which a load costs more than a shuffle: the lanes of a quad have four keys of one
// key/value head, and each shows the others one of the four rows that all of them read. A workgroup's eight keys go over the rows of all
// of them; a row that does not see a key adds nothing to it. Every entry is summed as in attention_backward_key_value.wgsl, to the bit.

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

// What the quad's lanes hold, a column each.
fn of_quad(value: vec4f) -> mat4x4f {
  return mat4x4f(quadBroadcast(value, 0u), quadBroadcast(value, 1u), quadBroadcast(value, 2u), quadBroadcast(value, 3u));
}

@compute @workgroup_size(8)
fn attention_backward_key_value_quads(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_invocation_id) invocation: u32,
) {
  let chunks = (D + 31u) / 32u;
  let chunk = workgroup.y % chunks;
  let kv = workgroup.y / chunks;
  let own = workgroup.x * 8u + local;
  let slot = min(own, params.tokens - 1u);       // keys past the end repeat the last one and are not stored
  let group = HEADS / KV_HEADS;
  var lowest = params.tokens;
  var highest = 0u;
  for (var i = 0u; i < 8u; i += 1u) {
    let seen = readers[min(workgroup.x * 8u + i, params.tokens - 1u)];
    lowest = min(lowest, seen.x);
    highest = max(highest, seen.y);
  }
  let lane = invocation % 4u;
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
  let begin = readers[slot].x * group;
  let end = readers[slot].y * group;
  let final_row = params.tokens * group - 1u;
  var dk0 = vec4f(0.0); var dk1 = dk0; var dk2 = dk0; var dk3 = dk0; var dk4 = dk0; var dk5 = dk0; var dk6 = dk0; var dk7 = dk0;
  var dv0 = vec4f(0.0); var dv1 = dv0; var dv2 = dv0; var dv3 = dv0; var dv4 = dv0; var dv5 = dv0; var dv6 = dv0; var dv7 = dv0;
  for (var r = lowest * group / 4u * 4u; r < highest * group; r += 4u) {
    let head = row_of(kv, min(r + lane, final_row));
    let row = head * d4;
    var score = vec4f(0.0);
    var dp = vec4f(0.0);
    for (var i = 0u; i < d4; i += 1u) {
      score += k[key + i] * of_quad(q[row + i]);
      dp += v[key + i] * of_quad(d_o[row + i]);
    }
    let mine = stats[head];
    let lse = vec4f(quadBroadcast(mine.x, 0u), quadBroadcast(mine.x, 1u), quadBroadcast(mine.x, 2u), quadBroadcast(mine.x, 3u));
    let delta = vec4f(quadBroadcast(mine.y, 0u), quadBroadcast(mine.y, 1u), quadBroadcast(mine.y, 2u), quadBroadcast(mine.y, 3u));
    let rows = vec4u(r, r + 1u, r + 2u, r + 3u);
    let p = select(vec4f(0.0), exp(score * scale - lse), (rows >= vec4u(begin)) & (rows < vec4u(end)));
    let dscore = p * (dp - delta) * scale;
    dk0 += of_quad(q[row + first]) * dscore;
    dv0 += of_quad(d_o[row + first]) * p;
    dk1 += of_quad(q[row + c1]) * dscore;
    dv1 += of_quad(d_o[row + c1]) * p;
    dk2 += of_quad(q[row + c2]) * dscore;
    dv2 += of_quad(d_o[row + c2]) * p;
    dk3 += of_quad(q[row + c3]) * dscore;
    dv3 += of_quad(d_o[row + c3]) * p;
    dk4 += of_quad(q[row + c4]) * dscore;
    dv4 += of_quad(d_o[row + c4]) * p;
    dk5 += of_quad(q[row + c5]) * dscore;
    dv5 += of_quad(d_o[row + c5]) * p;
    dk6 += of_quad(q[row + c6]) * dscore;
    dv6 += of_quad(d_o[row + c6]) * p;
    dk7 += of_quad(q[row + c7]) * dscore;
    dv7 += of_quad(d_o[row + c7]) * p;
  }
  if (own >= params.tokens) { return; }
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
