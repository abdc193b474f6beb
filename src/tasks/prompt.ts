// From a problem to the text that the model reads, and from what it wrote to the program that is judged.
import type { Problem } from "./problem.ts";

/**
 * raw: the problem's prompt as it is (the embedded problems; models that continue code).
 * ap2o: the paper's text prompt, ending in an opened python fence.
 * chat: the model's own chat template; the code is taken from the first fence of the answer.
 * fence: chat, with the answer begun by an opened fence and the `def` line (best for small instruct models).
 */
export type PromptStyle = "raw" | "ap2o" | "chat" | "fence";

export const PROMPT_STYLES: readonly PromptStyle[] = ["raw", "ap2o", "chat", "fence"];

const FUNCTION_ONLY = "Answer with the function only, without comments or a docstring.";

/** An answer ends at the first of these (and at the model's end tokens). */
export const STOP_STRINGS: readonly string[] = ["\n```", "\nif __name__", "\ndef main(", "\nprint(", "\n#"];

/** A problem put to the model. */
export interface Question {
  /** What the model continues. */
  readonly prompt: string;
  readonly stop: readonly string[];
  /** The whole program of an answer. */
  program(completion: string): string;
}

/** The chat template of the model: messages in, prompt text (with the opening of the assistant's turn) out. */
export type RenderChat = (messages: { role: string; content: string }[]) => string;

/** Puts `problem` to the model in the given style; `renderChat` is called by `chat` and `fence` only. */
export function questionOf(problem: Problem, style: PromptStyle, renderChat: RenderChat): Question {
  switch (style) {
    case "raw":
      return { prompt: problem.prompt, stop: STOP_STRINGS, program: (completion) => problem.prompt + completion };
    case "ap2o": {
      const prompt = `Please provide a Python script that solves the following problem. \n\n${problem.prompt}\n\n\`\`\`python\n`;
      return { prompt, stop: STOP_STRINGS, program: (completion) => completion };
    }
    case "chat": {
      const prompt = renderChat([{ role: "user", content: `${task(problem)}\nAnswer with the code in one python code block.` }]);
      return { prompt, stop: [], program: codeOfChatAnswer };
    }
    case "fence": {
      const content = `${task(problem)}\n${FUNCTION_ONLY}`;
      const { before, line } = defLine(problem);
      // No newline at the end: tokenizers join the newline and the indent that follows it into one token.
      const prompt = `${renderChat([{ role: "user", content }])}\`\`\`python\n${line}`;
      return { prompt, stop: STOP_STRINGS, program: (completion) => before + line + completion };
    }
  }
}

/** A failed answer and what Python said of it, as the model is shown them. */
export interface FailedAnswer {
  /** What the model wrote. */
  readonly completion: string;
  /** The whole program. */
  readonly program: string;
  /** The exception's class and its message, such as "TypeError: 'int' object is not iterable". */
  readonly error: string;
}

/**
 * Puts `problem` to the model again, with its failed answer and the error before it. What it writes stands where an answer to
 * questionOf would stand: the completions of both are interchangeable.
 */
export function repairQuestionOf(problem: Problem, style: PromptStyle, renderChat: RenderChat, failed: FailedAnswer): Question {
  const question = questionOf(problem, style, renderChat);
  const again = `This answer fails with ${failed.error}\nRepair it.`;
  switch (style) {
    case "raw": {
      const comment = `# ${failed.error.replaceAll("\n", " ")}`;
      return { ...question, prompt: `${problem.prompt}${failed.completion.trimEnd()}\n${comment}\n\n${problem.prompt}` };
    }
    case "ap2o": {
      const opened = "\n\n```python\n";
      const before = question.prompt.slice(0, -opened.length);
      return { ...question, prompt: `${before}${opened}${failed.program.trimEnd()}\n\`\`\`\n\n${again}${opened}` };
    }
    case "chat":
    case "fence": {
      const asked = style === "chat" ? "Answer with the code in one python code block." : FUNCTION_ONLY;
      const messages = [
        { role: "user", content: `${task(problem)}\n${asked}` },
        { role: "assistant", content: `\`\`\`python\n${failed.program.trimEnd()}\n\`\`\`` },
        { role: "user", content: `${again} ${asked}` },
      ];
      const { line } = defLine(problem);
      return { ...question, prompt: style === "chat" ? renderChat(messages) : `${renderChat(messages)}\`\`\`python\n${line}` };
    }
  }
}

/** The code of a chat answer: its first fenced block, or all of it where there is none; cut at the stop strings. */
export function codeOfChatAnswer(answer: string): string {
  const opened = /```[^\n]*\n/.exec(answer);
  return cutAtStop(opened ? answer.slice(opened.index + opened[0].length) : answer, STOP_STRINGS);
}

/** `text` up to the first of the stop strings. */
export function cutAtStop(text: string, stops: readonly string[]): string {
  let end = text.length;
  for (const stop of stops) {
    const at = text.indexOf(stop);
    if (at >= 0 && at < end) end = at;
  }
  return text.slice(0, end);
}

function task(problem: Problem): string {
  const { tests, starter } = problem;
  const begin = starter === undefined ? "" : `\nBegin with:\n${starter.trimEnd()}`;
  return `${problem.text ?? problem.prompt}${begin}${tests[0] === undefined ? "" : `\nYour code should pass these tests:\n${tests[0]}`}`;
}

/** The `def` line of the entry point and what stands before it (imports), from the prompt, else from the solution. */
function defLine(problem: Problem): { before: string; line: string } {
  if (problem.starter !== undefined) return { before: "", line: problem.starter.trimEnd() };
  if (problem.entryPoint === "") return { before: "", line: "" };
  const pattern = new RegExp(`^def ${problem.entryPoint}\\b.*:[^\\S\\n]*$`, "m");
  const inPrompt = pattern.exec(problem.prompt);
  if (inPrompt) return { before: problem.prompt.slice(0, inPrompt.index), line: inPrompt[0].trimEnd() };
  const inSolution = problem.solution === undefined ? null : pattern.exec(problem.solution);
  return { before: "", line: inSolution ? inSolution[0].trimEnd() : `def ${problem.entryPoint}(` };
}
