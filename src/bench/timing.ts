// Timing of GPU work: whole regions between two readbacks, as timestamps are quantised where they are there at all.

import type { Gpu } from "../gpu/gpu.ts";
import type { Tensor } from "../gpu/tensor.ts";

/** What a figure is the median of. */
const ROUNDS = 3;
/** A region is repeated until it takes this long: a readback costs up to a millisecond. */
const LEAST_MS = 30;

/** Seconds of what `record` records, by the median; `result` is read to wait for it. */
export function secondsOf(gpu: Gpu, result: Tensor, record: () => void): Promise<number> {
  const waitFor = { ...result, shape: [1], bytes: 4 };
  return medianSeconds(async (repeats) => {
    for (let i = 0; i < repeats; i++) record();
    await gpu.read(waitFor);
  });
}

/** Seconds of one repeat of `run`, which waits for all of them: the median of a few rounds, each repeated until it is long enough. */
export async function medianSeconds(run: (repeats: number) => Promise<void>): Promise<number> {
  const timed = async (repeats: number) => {
    const start = performance.now();
    await run(repeats);
    return performance.now() - start;
  };
  await timed(1); // compiles
  const first = await timed(1);
  const repeats = Math.max(1, Math.ceil(LEAST_MS / first));
  const times = repeats === 1 ? [first] : [];
  while (times.length < ROUNDS) times.push((await timed(repeats)) / repeats);
  return times.sort((a, b) => a - b)[ROUNDS >> 1]! / 1000;
}
