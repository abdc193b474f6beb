// Two programs side by side: equal lines opposite each other, and in lines that differ the characters that do.
import { diffArrays, diffWordsWithSpace } from "diff";
import type { Range } from "./highlight.ts";

export interface SideLine {
  /** 1-based line of its program. */
  number: number;
  text: string;
  changed: boolean;
  /** Characters [from, to) that the other side does not have; empty for a line that has no counterpart. */
  marks: Range[];
}

/** One row; null where the other side has a line more. */
export interface Row {
  left: SideLine | null;
  right: SideLine | null;
}

function withoutLastNewline(code: string): string[] {
  return code.replace(/\n+$/, "").split("\n");
}

/** Which characters differ between two lines; nothing is marked where little is shared, as the whole line is tinted then. */
export function markWords(left: string, right: string): { left: Range[]; right: Range[] } {
  const marks: { left: Range[]; right: Range[] } = { left: [], right: [] };
  let [atLeft, atRight, shared] = [0, 0, 0];
  for (const part of diffWordsWithSpace(left, right)) {
    const size = part.value.length;
    if (part.removed) marks.left.push([atLeft, (atLeft += size)]);
    else if (part.added) marks.right.push([atRight, (atRight += size)]);
    else {
      atLeft += size;
      atRight += size;
      shared += part.value.trim().length;
    }
  }
  const longest = Math.max(left.trim().length, right.trim().length);
  return shared * 3 < longest ? { left: [], right: [] } : marks;
}

function changedRows(left: readonly SideLine[], right: readonly SideLine[]): Row[] {
  return Array.from({ length: Math.max(left.length, right.length) }, (_, index) => {
    const [a, b] = [left[index], right[index]];
    if (!a || !b) return { left: a ?? null, right: b ?? null };
    const marks = markWords(a.text, b.text);
    return { left: { ...a, marks: marks.left }, right: { ...b, marks: marks.right } };
  });
}

/** Rows of two programs, left against right. */
export function sideBySide(left: string, right: string): Row[] {
  const rows: Row[] = [];
  let pending: { left: SideLine[]; right: SideLine[] } = { left: [], right: [] };
  let [leftNumber, rightNumber] = [0, 0];
  for (const part of diffArrays(withoutLastNewline(left), withoutLastNewline(right))) {
    for (const text of part.value) {
      if (part.removed) pending.left.push({ number: ++leftNumber, text, changed: true, marks: [] });
      else if (part.added) pending.right.push({ number: ++rightNumber, text, changed: true, marks: [] });
      else {
        rows.push(...changedRows(pending.left, pending.right));
        pending = { left: [], right: [] };
        const line = { text, changed: false, marks: [] };
        rows.push({ left: { ...line, number: ++leftNumber }, right: { ...line, number: ++rightNumber } });
      }
    }
  }
  return [...rows, ...changedRows(pending.left, pending.right)];
}

/** How far two programs are apart: characters that only one of them has. */
export function distance(left: string, right: string): number {
  return diffWordsWithSpace(left, right).reduce((sum, part) => (part.added || part.removed ? sum + part.value.length : sum), 0);
}
