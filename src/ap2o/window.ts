// The window that slides over a problem's ordered failed answers as training goes on.

/** [from, to) */
export type Window = readonly [number, number];

/**
 * The window at (fractional) `epoch` of `epochs` over `failed` ordered answers: of width W = failed / epochs, from
 * floor(e W) to floor((e + 1) W), at least one answer, clamped to the list. Doubles in exactly this order of operations.
 */
export function windowAt(failed: number, epochs: number, epoch: number): Window {
  const width = failed / epochs;
  const from = Math.min(Math.floor(epoch * width), failed - 1);
  const to = Math.min(Math.max(Math.floor((epoch + 1) * width), from + 1), failed);
  return [from, to];
}

/** The reference's high-to-low window: the low-to-high one mirrored over the ascending list. */
export function mirrored([from, to]: Window, failed: number): Window {
  return [failed - to, failed - from];
}
