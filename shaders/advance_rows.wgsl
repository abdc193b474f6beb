// The bookkeeping between two decoding steps: a row takes its sampled token as the next one to read, one position and one slot on,
// and sees one key more; the token goes to its history. Rows at their limit stay. One invocation per row.

override L: u32;                        // columns of history

struct Params { rows: u32 }

@group(0) @binding(0) var<storage, read> tokens: array<u32>;           // [B]
@group(0) @binding(1) var<storage, read> limits: array<u32>;           // [B], at most L
@group(0) @binding(2) var<storage, read_write> ids: array<u32>;        // [B]
@group(0) @binding(3) var<storage, read_write> positions: array<u32>;  // [B]
@group(0) @binding(4) var<storage, read_write> slots: array<u32>;      // [B]
@group(0) @binding(5) var<storage, read_write> spans: array<vec4u>;    // [B]
@group(0) @binding(6) var<storage, read_write> counts: array<u32>;     // [B], tokens drawn
@group(0) @binding(7) var<storage, read_write> history: array<u32>;    // [B, L]
@group(0) @binding(8) var<uniform> params: Params;

@compute @workgroup_size(64)
fn advance_rows(@builtin(global_invocation_id) id: vec3u) {
  let b = id.x;
  if (b >= params.rows || counts[b] >= limits[b]) { return; }
  history[b * L + counts[b]] = tokens[b];
  ids[b] = tokens[b];
  positions[b] += 1u;
  slots[b] += 1u;
  spans[b].w += 1u;
  counts[b] += 1u;
}
