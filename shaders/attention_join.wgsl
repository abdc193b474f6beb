// o = sum of parts * exp(highest - the highest of all) / the same of totals: joins the chunks of attention_split in their order. One
// invocation per entry of o.

override HEADS: u32;
override D: u32;                        // head size

struct Params { tokens: u32, chunks: u32 }

@group(0) @binding(0) var<storage, read> parts: array<f32>;          // [T, chunks, HEADS, D + 2]: unscaled sums, highest score, total
@group(0) @binding(1) var<storage, read> spans: array<vec4u>;        // [T]: prefix start, prefix end, own start, own end
@group(0) @binding(2) var<storage, read_write> o: array<f32>;        // [T, HEADS * D]
@group(0) @binding(3) var<uniform> params: Params;

const CHUNK = 128u;

@compute @workgroup_size(64)
fn attention_join(@builtin(global_invocation_id) id: vec3u) {
  let t = id.x / (HEADS * D);
  if (t >= params.tokens) { return; }
  let head = id.x / D % HEADS;
  let span = spans[t];
  let chunks = (span.y - span.x + span.w - span.z + CHUNK - 1u) / CHUNK;
  let stride = HEADS * (D + 2u);
  let first = t * params.chunks * stride + head * (D + 2u);
  if (chunks == 1u) {                   // the bits of a batch whose tokens all have one chunk
    o[id.x] = parts[first + id.x % D] / parts[first + D + 1u];
    return;
  }
  var highest = parts[first + D];
  for (var c = 1u; c < chunks; c += 1u) { highest = max(highest, parts[first + c * stride + D]); }
  var sum = 0.0;
  var total = 0.0;
  for (var c = 0u; c < chunks; c += 1u) {
    let at = first + c * stride;
    let share = exp(parts[at + D] - highest);
    sum += share * parts[at + id.x % D];
    total += share * parts[at + D + 1u];
  }
  o[id.x] = sum / total;
}
