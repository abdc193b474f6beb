// Rotary positions, halves split: (x[i], x[i + D/2]) turns by its position's angle i; row t of x goes to row slots[t] of y.
// One invocation per pair. The angles' cosines and sines come from a table: sin() is only good to 2^-11 by WGSL's rules.

override WIDTH: u32;                    // heads * D
override D: u32;                        // head size

@group(0) @binding(0) var<storage, read> x: array<f32>;              // [T, WIDTH]
@group(0) @binding(1) var<storage, read> positions: array<u32>;      // [T]
@group(0) @binding(2) var<storage, read> slots: array<u32>;          // [T]
@group(0) @binding(3) var<storage, read> rotary: array<f32>;         // [P, D]: D/2 cosines, then D/2 sines of each position
@group(0) @binding(4) var<storage, read_write> y: array<f32>;        // [S, WIDTH]

@compute @workgroup_size(64)
fn rope(@builtin(global_invocation_id) id: vec3u) {
  let pair = id.x;
  let t = id.y;
  if (pair >= WIDTH / 2u) { return; }
  let i = pair % (D / 2u);
  let column = (pair / (D / 2u)) * D + i;
  let angle = positions[t] * D + i;
  let cosine = rotary[angle];
  let sine = rotary[angle + D / 2u];
  let a = x[t * WIDTH + column];
  let b = x[t * WIDTH + column + D / 2u];
  let target_row = slots[t] * WIDTH + column;
  y[target_row] = a * cosine - b * sine;
  y[target_row + D / 2u] = b * cosine + a * sine;
}
