import { highlightPython, markSpans, type Span } from "./highlight.ts";
import { type Row, type SideLine, sideBySide } from "./side_by_side.ts";

interface LineProps {
  line: SideLine | null;
  spans: readonly Span[];
  failing: boolean;
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
          <span key={index} class={`${span.scope ? `py-${span.scope.split(".")[0]}` : ""} ${span.marked ? "marked" : ""}`}>
            {span.text}
          </span>
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
  const spans = highlightPython(code);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: long lines scroll, and only what takes the focus scrolls by keyboard
    <pre class={`code ${side}`} tabIndex={0} role="region" aria-label={label}>
      <code>
        {rows.map((row, index) => {
          const line = row[side];
          return <CodeLine key={index} line={line} spans={line ? spans[line.number - 1] : []} failing={line !== null && line.number === failingLine} />;
        })}
      </code>
    </pre>
  );
}

/** A failed program beside a right one, differences marked on both sides. */
export function ComparedCode({ failed, failingLine, right }: { failed: string; failingLine: number | null; right: string }) {
  const rows = sideBySide(failed, right);
  return (
    <>
      <CodeSide side="left" rows={rows} code={failed} failingLine={failingLine} label="Failed answer" />
      <CodeSide side="right" rows={rows} code={right} failingLine={null} label="Right answer" />
    </>
  );
}

/** A failed program on its own. */
export function SingleCode({ code, failingLine }: { code: string; failingLine: number | null }) {
  const rows = sideBySide(code, code);
  return <CodeSide side="left" rows={rows} code={code} failingLine={failingLine} label="Failed answer" />;
}
