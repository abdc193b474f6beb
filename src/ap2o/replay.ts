// Replay: error types that the quiz still shows are drawn again, beside the window.
import type { Counts } from "../counts.ts";
import type { Rule } from "./notebook.ts";
import type { Window } from "./window.ts";

/** One rejected answer, drawn from window and replay together. */
export interface RejectedDraw {
  /** Index into the ordered failed answers. */
  index: number;
  source: "window" | "replay";
  /** The chance that this answer was drawn, by either way. */
  probability: number;
}

/**
 * How many failed answers of each type join a window of `windowSize` answers (paper: the expected number).
 * paper: as many as the window holds, shared among the problem's types in proportion to their quiz errors.
 * reference: max(ceil(count / least count), floor(window size * share)) for each quiz error type that the problem has.
 * @param types error types of the problem's failed answers
 * @param quizErrors failures by type in the last quiz; null before the first
 */
export function replayDraws(rule: Rule, types: readonly string[], windowSize: number, quizErrors: Counts | null): Map<string, number> {
  const errors = Object.entries(quizErrors ?? {}).filter(([, count]) => count > 0);
  const present = errors.filter(([type]) => types.includes(type));
  if (present.length === 0) return new Map();
  if (rule === "paper") {
    const total = sum(present.map(([, count]) => count));
    return new Map(present.map(([type, count]) => [type, (windowSize * count) / total]));
  }
  const total = sum(errors.map(([, count]) => count));
  const least = Math.min(...errors.map(([, count]) => count));
  return new Map(present.map(([type, count]) => [type, Math.max(Math.ceil(count / least), Math.floor((windowSize * count) / total))]));
}

/** The chance of each of the ordered failed answers (by their types) to be the rejected one. */
export function rejectedProbabilities(types: readonly string[], [from, to]: Window, draws: ReadonlyMap<string, number>): number[] {
  const total = to - from + sum([...draws.values()]);
  const counts = new Map<string, number>();
  for (const type of types) counts.set(type, (counts.get(type) ?? 0) + 1);
  return types.map((type, i) => {
    const inWindow = i >= from && i < to ? 1 : 0;
    const replayed = (draws.get(type) ?? 0) / counts.get(type)!;
    return (inWindow + replayed) / total;
  });
}

/**
 * Draws one rejected answer uniformly from window plus replay. Drawing the whole replay list first and then one of its
 * entries has the same chances, so only the entry that is wanted is drawn.
 * @param u two independent numbers in [0, 1)
 */
export function drawRejected(
  types: readonly string[],
  window: Window,
  draws: ReadonlyMap<string, number>,
  u: readonly [number, number],
): RejectedDraw {
  const [from, to] = window;
  const size = to - from;
  const drawn = (index: number, source: "window" | "replay") => ({
    index,
    source,
    probability: rejectedProbabilities(types, window, draws)[index]!,
  });
  let at = u[0] * (size + sum([...draws.values()]));
  if (at < size || draws.size === 0) return drawn(from + Math.min(Math.floor(at), size - 1), "window");
  at -= size;
  let replayed = "";
  for (const [type, count] of draws) {
    replayed = type;
    if (at < count) break;
    at -= count;
  }
  const candidates = types.flatMap((type, i) => (type === replayed ? [i] : []));
  return drawn(candidates[Math.floor(u[1] * candidates.length)]!, "replay");
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
