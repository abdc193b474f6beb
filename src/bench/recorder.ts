// A GPU that remembers what it was given, so that each kernel's share of some work can be timed: its dispatches alone, in a row.

import { Gpu } from "../gpu/gpu.ts";
import { type BenchRow, benchRow } from "./rows.ts";

/** What was given to `run`. */
export type Call = Parameters<Gpu["run"]>;

export class Recorder extends Gpu {
  #calls: Call[] | null = null;

  override run(...call: Call): void {
    super.run(...call);
    this.#calls?.push(call);
  }

  /** Does the work and gives its dispatches. */
  async record(work: () => Promise<unknown>): Promise<Call[]> {
    const calls: Call[] = [];
    this.#calls = calls;
    try {
      await work();
    } finally {
      this.#calls = null;
    }
    return calls;
  }
}

/** Rows of a table of kernels: what comes behind them is little. */
const ROWS = 12;

/**
 * What takes the time of recorded work, the most first: a row for each kernel and weight. The dispatches run again, on whatever the tensors
 * hold by then, which is of no use afterwards.
 */
export async function profile(gpu: Recorder, name: string, recorded: readonly Call[]): Promise<BenchRow[]> {
  const kinds = new Map<string, Call[]>();
  for (const call of recorded) kinds.set(kindOf(call), [...(kinds.get(kindOf(call)) ?? []), call]);
  const measured: { kind: string; calls: Call[]; seconds: number }[] = [];
  for (const [kind, calls] of kinds) measured.push({ kind, calls, seconds: await secondsAgain(gpu, calls) });
  const all = measured.reduce((sum, { seconds }) => sum + seconds, 0);
  measured.sort((a, b) => b.seconds - a.seconds);
  return measured.slice(0, ROWS).map(({ kind, calls, seconds }) => {
    const flops = calls.reduce((sum, [, , , dispatch]) => sum + (dispatch.flops ?? 0), 0);
    const details = { share_of_time: `${((100 * seconds) / all).toFixed(1)} %` };
    return benchRow(`${name}: ${kind}`, `${calls.length} dispatches`, { flops, seconds, details });
  });
}

/** The kernel, and for a product its weight's shape. */
function kindOf([kernel, inputs]: Call): string {
  const shape = inputs.weight?.shape ?? [];
  return shape.length === 2 ? `${kernel} ${shape.join("x")}` : kernel;
}

async function secondsAgain(gpu: Recorder, calls: readonly Call[]): Promise<number> {
  const [, , outputs] = calls.at(-1)!;
  const [last] = Object.values(outputs);
  const start = performance.now();
  for (const call of calls) gpu.run(...call);
  await gpu.read({ ...last!, shape: [1], bytes: 4 });
  return (performance.now() - start) / 1000;
}
