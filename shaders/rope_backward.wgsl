// The gradient of rope: dy turned back by its position's angle. One invocation per pair; slots are not undone, as in training
// a token's slot is its own row.

override WIDTH: u32;                    // heads * D
override D: u32;                        // head size

@group(0) @binding(0) var<storage, read> dy: array<f32>;             // [T, WIDTH]
@group(0) @binding(1) var<storage, read> positions: array<u32>;      // [T]
@group(0) @binding(2) var<storage, read> rotary: array<f32>;         // [P, D]: D/2 cosines, then D/2 sines of each position
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;       // [T, WIDTH]

@compute @workgroup_size(64)
fn rope_backward(@builtin(global_invocation_id) id: vec3u) {
  let pair = id.x;
  let t = id.y;
  if (pair >= WIDTH / 2u) { return; }
  let i = pair % (D / 2u);
  let column = t * WIDTH + (pair / (D / 2u)) * D + i;
  let angle = positions[t] * D + i;
  let cosine = rotary[angle];
  let sine = rotary[angle + D / 2u];
  let a = dy[column];
  let b = dy[column + D / 2u];
  dx[column] = a * cosine + b * sine;
  dx[column + D / 2u] = b * cosine - a * sine;
}
