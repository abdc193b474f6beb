import { useMemo } from "preact/hooks";
import { highlightPython, type MarkedSpan, markSpans, type Range, type Span } from "./highlight.ts";
import { type Row, type SideLine, sideBySide } from "./side_by_side.ts";

interface LineProps {
  line: SideLine | null;
  spans: readonly Span[];
  failing: boolean;
  /** What the focal loss counts of it. */
  focus: readonly Range[];
}

function CodeSpan({ span }: { span: MarkedSpan }) {
  const classes = [
    span.scope ? `py-${span.scope.split(".")[0]}` : "",
    span.marked ? "marked" : "",
    span.focal ? "focal" : "",
    span.text.trim() ? "" : "space",
  ];
  return <span class={classes.filter(Boolean).join(" ")}>{span.text}</span>;
}

function CodeLine({ line, spans, failing, focus }: LineProps) {
  if (!line) return <span class="line missing">{"\n"}</span>;
  const classes = ["line", line.changed ? "changed" : "", failing ? "failing" : ""].filter(Boolean).join(" ");
  return (
    <span class={classes}>
      <span class="number" aria-hidden="true">
        {line.number}
      </span>
      <span class="text">
        {markSpans(spans, line.marks, focus).map((span, index) => (
          <CodeSpan key={index} span={span} />
        ))}
        {failing && <span class="unseen"> (fails here)</span>}
        {focus.length > 0 && <span class="unseen"> (counted: {focus.map(([from, to]) => line.text.slice(from, to)).join(", ")})</span>}
      </span>
      {"\n"}
    </span>
  );
}

interface SideProps {
  side: "left" | "right";
  rows: readonly Row[];
  code: string;
  failingLine: number | null;
  /** Line by line what the focal loss counts; null: nothing is marked. */
  focus: readonly (readonly Range[])[] | null;
  label: string;
}

function CodeSide({ side, rows, code, failingLine, focus, label }: SideProps) {
  const spans = useMemo(() => highlightPython(code), [code]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: long lines scroll, and only what takes the focus scrolls by keyboard
    <section class={`code ${side}`} tabIndex={0} aria-label={label}>
      <pre>
        {rows.map((row, index) => {
          const line = row[side];
          const lineSpans = line ? spans[line.number - 1] : [];
          const inFocus = (line && focus?.[line.number - 1]) ?? NOTHING;
          return (
            <CodeLine key={index} line={line} spans={lineSpans} focus={inFocus} failing={line !== null && line.number === failingLine} />
          );
        })}
      </pre>
    </section>
  );
}

const NOTHING: readonly Range[] = [];

interface ComparedCodeProps {
  failed: string;
  failingLine: number | null;
  right: string;
  /** What the focal loss counts of each, line by line. */
  focus?: { failed: Range[][] | null; right: Range[][] | null };
}

/** A failed program beside a right one, differences marked on both sides. */
export function ComparedCode({ failed, failingLine, right, focus }: ComparedCodeProps) {
  const rows = useMemo(() => sideBySide(failed, right), [failed, right]);
  return (
    <>
      <CodeSide side="left" rows={rows} code={failed} failingLine={failingLine} focus={focus?.failed ?? null} label="Failed answer" />
      <CodeSide side="right" rows={rows} code={right} failingLine={null} focus={focus?.right ?? null} label="Right answer" />
    </>
  );
}

/** A program on its own. */
export function SingleCode({ code, failingLine, label = "Failed answer" }: { code: string; failingLine: number | null; label?: string }) {
  const rows = useMemo(() => sideBySide(code, code), [code]);
  return <CodeSide side="left" rows={rows} code={code} failingLine={failingLine} focus={null} label={label} />;
}
