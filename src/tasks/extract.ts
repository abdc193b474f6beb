// From what a model wrote to the program that is judged. Models fence their code or do not, talk before and after it, repeat the
// prompt, or give the bare body of the function. Each rule has its test in test/tasks/extract.test.ts.
import type { Problem } from "./problem.ts";

type Asked = Pick<Problem, "prompt" | "entryPoint">;

/** The whole program of an answer to `problem`: the code in it, completed with what the prompt had begun. */
export function codeOfAnswer(answer: string, problem: Asked): string {
  return completed(codeIn(answer, problem.entryPoint), problem);
}

/** The code in an answer: its fenced block, else what of it looks like Python. */
export function codeIn(answer: string, entryPoint = ""): string {
  const text = withoutThoughts(answer.replace(/\r\n?/g, "\n"));
  const blocks = fencedBlocks(text);
  return blocks.length > 0 ? chosenBlock(blocks, entryPoint) : withoutProse(text);
}

/** Reasoning models think aloud first. */
function withoutThoughts(text: string): string {
  const end = text.lastIndexOf("</think>");
  return end < 0 ? text : text.slice(end + "</think>".length);
}

interface Block {
  readonly language: string;
  readonly code: string;
}

const FENCE = /^([ \t]*)(`{3,}|~{3,})[ \t]*([\w+.-]*)[^\n]*$/;

/** The fenced blocks of a text. One that is not closed reaches to the end; where the first fence closes, the code stands before it. */
function fencedBlocks(text: string): Block[] {
  const blocks: Block[] = [];
  let open: { indent: string; mark: string; language: string; lines: string[] } | null = null;
  let before: string[] = [];
  for (const line of text.split("\n")) {
    const [, indent = "", mark = "", language = ""] = FENCE.exec(line) ?? [];
    const closes = open !== null && mark.startsWith(open.mark) && language === "";
    if (open && closes) {
      blocks.push({ language: open.language, code: open.lines.join("\n") });
      open = null;
    } else if (open) open.lines.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
    else if (mark && language === "" && blocks.length === 0 && looksLikeCode(before)) {
      blocks.push({ language: "", code: withoutProse(before.join("\n")) }); // the fence that opened it was in the prompt
      before = [];
    } else if (mark) open = { indent, mark, language: language.toLowerCase(), lines: [] };
    else before.push(line);
  }
  if (open && open.lines.join("").trim() !== "") blocks.push({ language: open.language, code: open.lines.join("\n") });
  return blocks.filter(({ code }) => code.trim() !== "");
}

const PYTHON = /^(py|python\d?(\.\d+)?|python-?repl|)$/;

/** The block that defines the entry point; where several do the first; else all Python blocks in their order, which build on each other. */
function chosenBlock(blocks: readonly Block[], entryPoint: string): string {
  const defining = blocks.find(({ code }) => entryPoint !== "" && defines(code, entryPoint));
  if (defining) return trimmed(defining.code);
  const named = blocks.filter(({ language }) => language !== "" && PYTHON.test(language));
  const python = named.length > 0 ? named : blocks.filter(({ language }) => PYTHON.test(language));
  const wanted = python.length > 0 ? python : blocks;
  return trimmed(entryPoint === "" ? longest(wanted) : wanted.map(({ code }) => code).join("\n"));
}

function longest(blocks: readonly Block[]): string {
  return blocks.reduce((best, { code }) => (code.length > best.length ? code : best), "");
}

function trimmed(code: string): string {
  return `${code.replace(/^(?:[ \t]*\n)+/, "").trimEnd()}\n`;
}

function defines(code: string, name: string): boolean {
  return new RegExp(`^(?:async[ \\t]+def|def|class)[ \\t]+${name}\\b|^${name}[ \\t]*=`, "m").test(code);
}

/** A line that begins a program. */
const BEGINS = /^(?:def |async def |class |import [\w.]+(?:\s*,|\s*$| as )|from [\w.]+ import |@\w|#!|[A-Za-z_]\w*\s*=\s*\S|if __name__)/;
/** A line without indentation that may go on in one. */
const GOES_ON =
  /^(?:def |async |class |import [\w.]+|from [\w.]+ import |@\w|#|if .*:|elif .*:|else\s*:|try\s*:|except\b.*:|finally\s*:|for .* in .*:|while .*:|with .*:|return\b|print\(|assert |[\])}]|"""|'''|[A-Za-z_][\w.]*(?:\[[^\]]*\])*\s*(?:[-+*/%|&^@]|\/\/|\*\*|<<|>>)?=|[A-Za-z_][\w.]*\()/;

function looksLikeCode(lines: readonly string[]): boolean {
  return lines.some((line) => BEGINS.test(line) || /^[ \t]+(?:return\b|for |if |while )/.test(line));
}

/** Prose before the first line of code and after the last one is left out. Text without a line that begins a program stays as it is. */
function withoutProse(text: string): string {
  const lines = text.split("\n");
  const first = lines.findIndex((line) => BEGINS.test(line));
  if (first < 0 || isBody(lines)) return text;
  let last = first;
  let quote = "";
  for (let i = first; i < lines.length; i++) {
    const line = lines[i]!;
    const goesOn = quote !== "" || line.trim() === "" || /^[ \t]/.test(line) || GOES_ON.test(line);
    if (!goesOn) break;
    if (line.trim() !== "") last = i;
    for (const [mark] of line.matchAll(/"""|'''/g)) quote = quote === "" ? mark : quote === mark ? "" : quote;
  }
  return trimmed(lines.slice(first, last + 1).join("\n"));
}

/** True for the rest of a function: its first line is indented. */
function isBody(lines: readonly string[]): boolean {
  return /^[ \t]+\S/.test(lines.find((line) => line.trim() !== "") ?? "");
}

/** The program: the code as it is where it defines the entry point, else what the prompt began, gone on with. */
function completed(code: string, { prompt, entryPoint }: Asked): string {
  if (entryPoint === "" || !defines(prompt, entryPoint)) return code;
  if (defines(code, entryPoint)) return preamble(prompt, entryPoint) + code;
  return `${prompt.trimEnd()}\n${indented(code)}`;
}

/** The imports and helpers that stand before the entry point's def line in the prompt. */
function preamble(prompt: string, entryPoint: string): string {
  const at = prompt.search(new RegExp(`^(?:async[ \\t]+def|def|class)[ \\t]+${entryPoint}\\b`, "m"));
  const before = prompt.slice(0, at);
  return /^(?:import|from|def|class|[A-Za-z_]\w*\s*=)\b/m.test(before) ? `${before.trimEnd()}\n\n` : "";
}

/** A body without the indentation that the prompt's def line asks for gets it; one whose first line only has lost it, too. */
function indented(code: string): string {
  const lines = code.replace(/^(?:[ \t]*\n)+/, "").split("\n");
  if (isBody(lines)) return lines.join("\n");
  const rest = lines.slice(1).filter((line) => line.trim() !== "");
  const onlyFirst = rest.length > 0 && rest.every((line) => /^[ \t]/.test(line)) && !/:\s*(?:#.*)?$/.test(lines[0]!);
  return lines.map((line, i) => (line.trim() === "" || (onlyFirst && i > 0) ? line : `    ${line}`)).join("\n");
}
