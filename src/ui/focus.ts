// What the focal loss counts of an answer, in the lines of the program that is shown.
import type { Preference } from "../records.ts";
import type { Range } from "./highlight.ts";

/** The parts of a pair's answers that the loss counts, in characters of the answers' texts; null: all of that answer. */
export interface PairFocus {
  rejected: readonly Range[];
  chosen: readonly Range[] | null;
}

/** What the focal loss counts of a pair; null where the loss is not focal, or a file of an earlier version does not say. */
export function focusOf(pair: Preference): PairFocus | null {
  return pair.rejected_focus ? { rejected: pair.rejected_focus, chosen: pair.chosen_focus ?? null } : null;
}

/**
 * Places in a completion as places in the lines of the program made of it.
 * @returns for each line of the program its ranges; null where the completion is not in the program
 */
export function focusByLine(program: string, completion: string, ranges: readonly Range[]): Range[][] | null {
  const shift = shiftOf(program, completion);
  if (shift === null) return null;
  let start = 0;
  return program.split("\n").map((line) => {
    const from = start;
    start += line.length + 1;
    const inLine = ranges.map(([a, b]): Range => [Math.max(0, a + shift - from), Math.min(line.length, b + shift - from)]);
    return inLine.filter(([a, b]) => a < b && line.slice(a, b).trim() !== "");
  });
}

/** How far the completion's characters are moved in the program: it begins behind a prompt, or (from a chat) before the program does. */
function shiftOf(program: string, completion: string): number | null {
  const inside = completion.trimEnd();
  if (inside !== "" && program.includes(inside)) return program.lastIndexOf(inside);
  const around = program.trimEnd();
  return around !== "" && completion.includes(around) ? -completion.indexOf(around) : null;
}
