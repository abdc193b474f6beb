// Python, split into lines of coloured spans. highlight.js hands its tokens to an emitter; ours keeps them as plain data, so
// that model output reaches the page as text nodes and never as markup.
import type { Emitter } from "highlight.js";
import hljs from "highlight.js/lib/core";
import python from "highlight.js/lib/languages/python";

export type Range = readonly [from: number, to: number];

export interface Span {
  text: string;
  /** highlight.js's scope ("keyword", "string", "title.function" ...), null for plain text. */
  scope: string | null;
}

class SpanEmitter implements Emitter {
  readonly spans: Span[] = [];
  private readonly scopes: string[] = [];

  addText(text: string): void {
    if (text !== "") this.spans.push({ text, scope: this.scopes.at(-1) ?? null });
  }
  startScope(name: string): void {
    this.scopes.push(name);
  }
  endScope(): void {
    this.scopes.pop();
  }
  /** The library calls these two as well; its types leave them out. */
  openNode(name: string): void {
    this.startScope(name);
  }
  closeNode(): void {
    this.endScope();
  }
  __addSublanguage(emitter: Emitter): void {
    if (emitter instanceof SpanEmitter) this.spans.push(...emitter.spans);
  }
  finalize(): void {}
  /** Part of the interface; the page never uses markup. */
  toHTML(): string {
    return "";
  }
}

hljs.registerLanguage("python", python);
hljs.configure({ __emitter: SpanEmitter });

function splitLines(spans: readonly Span[]): Span[][] {
  const lines: Span[][] = [[]];
  for (const span of spans) {
    for (const [index, text] of span.text.split("\n").entries()) {
      if (index > 0) lines.push([]);
      if (text !== "") lines.at(-1)?.push({ text, scope: span.scope });
    }
  }
  return lines;
}

/**
 * Python source as lines of spans; the spans' texts joined by newlines are the source again.
 * @param code any text: what is no Python comes back plain
 */
export function highlightPython(code: string): Span[][] {
  const result = hljs.highlight(code, { language: "python", ignoreIllegals: true });
  const spans = result._emitter instanceof SpanEmitter ? result._emitter.spans : [];
  const whole = spans.map((span) => span.text).join("") === code;
  return splitLines(whole ? spans : [{ text: code, scope: null }]).map(splitIndent);
}

/** Sets a line's indentation apart from what follows it, so that a line's underline begins at its first letter. */
function splitIndent(line: readonly Span[]): Span[] {
  const [first, ...rest] = line;
  const indent = first?.text.match(/^\s+(?=\S)/)?.[0];
  return first && indent ? [{ text: indent, scope: null }, { ...first, text: first.text.slice(indent.length) }, ...rest] : [...line];
}

export interface MarkedSpan extends Span {
  /** The other program does not have it. */
  marked: boolean;
  /** The focal loss counts it. */
  focal: boolean;
}

/**
 * Cuts a line's spans at the borders of ranges.
 * @param marks [from, to) in characters of the line that the other program does not have
 * @param focus likewise, what the focal loss counts
 */
export function markSpans(spans: readonly Span[], marks: readonly Range[], focus: readonly Range[] = []): MarkedSpan[] {
  const marked: MarkedSpan[] = [];
  let start = 0;
  for (const { text, scope } of spans) {
    const end = start + text.length;
    const borders = [...marks, ...focus].flat().filter((at) => at > start && at < end);
    const cuts = [...new Set([start, ...borders, end])].sort((a, b) => a - b);
    for (const [index, from] of cuts.slice(0, -1).entries()) {
      const piece = text.slice(from - start, cuts[index + 1] - start);
      if (piece !== "") marked.push({ text: piece, scope, marked: isInside(from, marks), focal: isInside(from, focus) });
    }
    start = end;
  }
  return marked;
}

function isInside(at: number, ranges: readonly Range[]): boolean {
  return ranges.some(([from, to]) => from <= at && at < to);
}
