import { useMemo } from "preact/hooks";
import { highlightPython, type MarkedSpan, markSpans, type Span } from "./highlight.ts";
import { type Row, type SideLine, sideBySide } from "./side_by_side.ts";

interface LineProps {
  line: SideLine | null;
  spans: readonly Span[];
  failing: boolean;
}

function CodeSpan({ span }: { span: MarkedSpan }) {
  const classes = [span.scope ? `py-${span.scope.split(".")[0]}` : "", span.marked ? "marked" : "", span.text.trim() ? "" : "space"];
  return <span class={classes.filter(Boolean).join(" ")}>{span.text}</span>;
}

function CodeLine({ line, spans, failing }: LineProps) {
  if (!line) return <span class="line missing">{"\n"}</span>;
  const classes = ["line", line.changed ? "changed" : "", failing ? "failing" : ""].filter(Boolean).join(" ");
  return (
    <span class={classes}>
      <span class="number" aria-hidden="true">
        {line.number}
      </span>
      <span class="text">
        {markSpans(spans, line.marks).map((span, index) => (
          <CodeSpan key={index} span={span} />
        ))}
        {failing && <span class="unseen"> (fails here)</span>}
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
  label: string;
}

function CodeSide({ side, rows, code, failingLine, label }: SideProps) {
  const spans = useMemo(() => highlightPython(code), [code]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: long lines scroll, and only what takes the focus scrolls by keyboard
    <section class={`code ${side}`} tabIndex={0} aria-label={label}>
      <pre>
        {rows.map((row, index) => {
          const line = row[side];
          const lineSpans = line ? spans[line.number - 1] : [];
          return <CodeLine key={index} line={line} spans={lineSpans} failing={line !== null && line.number === failingLine} />;
        })}
      </pre>
    </section>
  );
}

/** A failed program beside a right one, differences marked on both sides. */
export function ComparedCode({ failed, failingLine, right }: { failed: string; failingLine: number | null; right: string }) {
  const rows = useMemo(() => sideBySide(failed, right), [failed, right]);
  return (
    <>
      <CodeSide side="left" rows={rows} code={failed} failingLine={failingLine} label="Failed answer" />
      <CodeSide side="right" rows={rows} code={right} failingLine={null} label="Right answer" />
    </>
  );
}

/** A program on its own. */
export function SingleCode({ code, failingLine, label = "Failed answer" }: { code: string; failingLine: number | null; label?: string }) {
  const rows = useMemo(() => sideBySide(code, code), [code]);
  return <CodeSide side="left" rows={rows} code={code} failingLine={failingLine} label={label} />;
}
