// Python, split into lines of coloured spans. highlight.js hands its tokens to an emitter; ours keeps them as plain data, so
// that model output reaches the page as text nodes and never as markup.
import type { Emitter } from "highlight.js";
import hljs from "highlight.js/lib/core";
import python from "highlight.js/lib/languages/python";

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
  marked: boolean;
}

/**
 * Cuts a line's spans at the borders of ranges.
 * @param ranges [from, to) in characters of the line, ascending, not overlapping
 */
export function markSpans(spans: readonly Span[], ranges: readonly (readonly [number, number])[]): MarkedSpan[] {
  const marked: MarkedSpan[] = [];
  let start = 0;
  for (const span of spans) {
    const end = start + span.text.length;
    const inside = ranges.filter(([from, to]) => from < end && to > start);
    const cuts = [start, ...inside.flatMap(([from, to]) => [Math.max(from, start), Math.min(to, end)]), end];
    for (let index = 0; index + 1 < cuts.length; index++) {
      const text = span.text.slice(cuts[index] - start, cuts[index + 1] - start);
      if (text !== "") marked.push({ text, scope: span.scope, marked: index % 2 === 1 });
    }
    start = end;
  }
  return marked;
}
