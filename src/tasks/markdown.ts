// Problems in Markdown, for teachers: a heading, a few sentences, a few asserts. The rules are in docs/problems.md.

/** One problem of a Markdown file, as its parts stand there. */
export interface MarkdownProblem {
  readonly title: string;
  readonly line: number;
  readonly text: string;
  /** The beginning of the program, from a python block without asserts; "" where there is none. */
  readonly start: string;
  readonly solution: string;
  readonly setup: string;
  readonly tests: readonly string[];
}

interface Part {
  readonly kind: "heading" | "text" | "code";
  readonly line: number;
  readonly text: string;
  /** What stands behind the opening fence. */
  readonly info: string;
}

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*(.*)$/;

function partsOf(source: string): Part[] {
  const parts: Part[] = [];
  let fence: { mark: string; info: string; line: number; lines: string[] } | null = null;
  for (const [i, line] of source.replace(/\r\n?/g, "\n").split("\n").entries()) {
    const [, mark = "", info = ""] = FENCE.exec(line) ?? [];
    if (fence && mark.startsWith(fence.mark) && info === "") {
      parts.push({ kind: "code", line: fence.line, text: fence.lines.join("\n"), info: fence.info });
      fence = null;
    } else if (fence) fence.lines.push(line);
    else if (mark) fence = { mark, info: info.trim().toLowerCase(), line: i + 1, lines: [] };
    else if (/^#{1,6}\s/.test(line)) parts.push({ kind: "heading", line: i + 1, text: line.replace(/^#+\s*|\s*#*\s*$/g, ""), info: "" });
    else if (/^assert\b/.test(line)) parts.push({ kind: "code", line: i + 1, text: line, info: "python" });
    else parts.push({ kind: "text", line: i + 1, text: line, info: "" });
  }
  if (fence) throw new Error(`line ${fence.line}: the code block that begins here does not end`);
  return parts;
}

/**
 * Reads a Markdown file. Each heading begins a problem; headings without asserts below them (a title) are passed over.
 * @throws Error when a code block does not end
 */
export function readMarkdown(source: string, fallbackTitle: string): MarkdownProblem[] {
  const sections: { title: string; line: number; parts: Part[] }[] = [{ title: fallbackTitle, line: 1, parts: [] }];
  for (const part of partsOf(source)) {
    if (part.kind === "heading") sections.push({ title: part.text, line: part.line, parts: [] });
    else sections.at(-1)!.parts.push(part);
  }
  return sections.map(({ title, line, parts }) => problemOf(title, line, parts)).filter(({ tests }) => tests.length > 0);
}

function problemOf(title: string, line: number, parts: readonly Part[]): MarkdownProblem {
  const code = parts.filter(({ kind, info }) => kind === "code" && (info === "" || info.startsWith("py")));
  const isTests = ({ text, info }: Part) => /^assert\b/m.test(text) && !info.includes("solution");
  const join = (some: readonly Part[]) => some.map(({ text }) => text.trimEnd()).join("\n");
  const blocks = code.filter(isTests).map(({ text }) => splitTests(text));
  return {
    title,
    line,
    text: parts
      .flatMap((part) => (part.kind === "text" ? [part.text] : []))
      .join("\n")
      .replace(/\n{3,}/g, "\n\n")
      .trim(),
    start: join(code.filter((part) => !isTests(part) && !part.info.includes("solution"))),
    solution: join(code.filter(({ info }) => info.includes("solution"))),
    setup: blocks
      .map(({ setup }) => setup)
      .filter(Boolean)
      .join("\n"),
    tests: blocks.flatMap(({ tests }) => tests),
  };
}

/** What stands before the first assert is setup; after it each statement without indentation is a test. */
function splitTests(block: string): { setup: string; tests: string[] } {
  const [setup, tests]: [string[], string[]] = [[], []];
  for (const line of block.split("\n")) {
    const begins = /^[^\s#)\]}]/.test(line);
    if (tests.length === 0 && !/^assert\b/.test(line)) setup.push(line);
    else if (begins) tests.push(line);
    else if (line.trim() !== "") tests[tests.length - 1] += `\n${line}`;
  }
  return { setup: setup.join("\n").trim(), tests };
}
