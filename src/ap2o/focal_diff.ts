// Which tokens of an answer differ from the other answer of its pair: what the focal loss counts.
import { diffArrays } from "diff";
import type { Tokenizer } from "../model/tokenizer.ts";

/** line: all tokens of differing lines, as the paper (IterPref). token: the tokens that differ themselves, ours. */
export type DiffUnit = "line" | "token";
export const DIFF_UNITS: readonly DiffUnit[] = ["line", "token"];

type Span = readonly [from: number, to: number];

/**
 * 1 for each token of `ids` that lies outside a longest common subsequence with `other`, in lines or in tokens. Where nothing
 * differs the last token, the end token, is marked: a mask that is all zero would teach nothing.
 * @param ids an answer's tokens, the end token included
 */
export function focalMask(tokenizer: Tokenizer, ids: readonly number[], other: readonly number[], unit: DiffUnit): number[] {
  const mask = unit === "token" ? onlyHere(ids, other).map(Number) : lineMask(tokenizer, ids, other);
  if (!mask.includes(1)) mask[mask.length - 1] = 1;
  return mask;
}

/** The lines of `text` that `other` does not have, by a longest common subsequence; spaces at a line's end do not count. */
export function differingLines(text: string, other: string): string[] {
  const lines = linesOf(text);
  const differs = onlyHere(lines.map(trimmed), linesOf(other).map(trimmed));
  return lines.filter((_, i) => differs[i]);
}

function lineMask(tokenizer: Tokenizer, ids: readonly number[], other: readonly number[]): number[] {
  const { text, spans } = tokenSpans(tokenizer, ids);
  const lines = linesOf(text);
  const differs = onlyHere(lines.map(trimmed), linesOf(tokenSpans(tokenizer, other).text).map(trimmed));
  const mask = ids.map(() => 0);
  let from = 0;
  for (const [i, line] of lines.entries()) {
    const to = from + line.length;
    if (differs[i]) for (const [t, span] of spans.entries()) if (span[0] < to && span[1] > from) mask[t] = 1;
    from = to;
  }
  return mask;
}

/**
 * The text of `ids` without its end token, and each token's place in it. Tokens that hold parts of one character share its place;
 * the end token has none.
 */
export function tokenSpans(tokenizer: Tokenizer, ids: readonly number[]): { text: string; spans: Span[] } {
  const spans: Span[] = [];
  let text = "";
  let first = 0;
  for (const [i, id] of ids.entries()) {
    if (id === tokenizer.eosTokenId && i === ids.length - 1) {
      spans.push([text.length, text.length]);
      break;
    }
    const piece = tokenizer.decode(ids.slice(first, i + 1));
    if (piece.endsWith("\ufffd") && i - first < LONGEST_CHARACTER - 1) continue; // a character's bytes go on in the next token
    while (spans.length <= i) spans.push([text.length, text.length + piece.length]);
    text += piece;
    first = i + 1;
  }
  while (spans.length < ids.length) spans.push([text.length, text.length]);
  return { text, spans };
}

/**
 * Where the marked tokens stand in `answer`, neighbours joined. A token that reaches over into the prompt counts from the answer's begin;
 * the end token has no place.
 */
export function markedPlaces(tokenizer: Tokenizer, ids: readonly number[], mask: readonly number[], answer: string): [number, number][] {
  const { text, spans } = tokenSpans(tokenizer, ids);
  const before = text.endsWith(answer) ? text.length - answer.length : 0;
  const places: [number, number][] = [];
  for (const [i, span] of spans.entries()) {
    const from = Math.max(0, span[0] - before);
    const to = Math.min(answer.length, span[1] - before);
    if (mask[i] !== 1 || to <= from) continue;
    const last = places.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else places.push([from, to]);
  }
  return places;
}

/** Bytes of the longest UTF-8 character: so many tokens may share one. */
const LONGEST_CHARACTER = 4;

/** For each item whether it lies outside a longest common subsequence with `other`. */
function onlyHere<T>(items: readonly T[], other: readonly T[]): boolean[] {
  return diffArrays([...other], [...items]).flatMap(({ added, removed, value }) => (removed ? [] : value.map(() => added)));
}

/** Lines with their newline. */
function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+/g) ?? [];
}

const trimmed = (line: string): string => line.trimEnd();
