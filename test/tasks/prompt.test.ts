import { expect, test } from "vitest";
import type { Problem } from "../../src/tasks/problem.ts";
import { codeOfChatAnswer, cutAtStop, questionOf, repairQuestionOf, STOP_STRINGS } from "../../src/tasks/prompt.ts";

const problem: Problem = {
  taskId: "Demo/1",
  prompt: "import math\n\ndef area(r):\n",
  entryPoint: "area",
  tests: ["assert area(0) == 0"],
  split: "train",
};
const mbpp: Problem = {
  ...problem,
  prompt: '"""\nArea of a circle.\n"""\n',
  text: "Area of a circle.",
  solution: "import math\ndef area(r): \n    return math.pi * r * r",
};
const render = (messages: { role: string; content: string }[]) => `<user>${messages[0]!.content}<assistant>`;

test("raw: prompt and completion are the program", () => {
  const question = questionOf(problem, "raw", render);
  expect(question.prompt).toBe(problem.prompt);
  expect(question.program("    return 1")).toBe("import math\n\ndef area(r):\n    return 1");
});

test("ap2o: the paper's words, ending in an opened fence and a newline", () => {
  const question = questionOf(problem, "ap2o", render);
  expect(question.prompt).toBe(
    "Please provide a Python script that solves the following problem. \n\nimport math\n\ndef area(r):\n\n\n```python\n",
  );
  expect(question.program("def area(r): ...")).toBe("def area(r): ...");
});

test("chat: the template around task and first test, code from the answer's fence", () => {
  const question = questionOf(mbpp, "chat", render);
  expect(question.prompt).toContain("<user>Area of a circle.\nYour code should pass these tests:\nassert area(0) == 0\n");
  expect(question.prompt.endsWith("<assistant>")).toBe(true);
  expect(question.program("Sure:\n```python\ndef area(r):\n    return 1\n```\nDone.")).toBe("def area(r):\n    return 1");
});

test("fence: the answer begins with the def line of the solution, without a newline at its end", () => {
  const question = questionOf(mbpp, "fence", render);
  expect(question.prompt.endsWith("<assistant>```python\ndef area(r):")).toBe(true);
  expect(question.program("\n    return 1")).toBe("def area(r):\n    return 1");
});

test("fence: imports before the prompt's def line stay in the program", () => {
  const question = questionOf(problem, "fence", render);
  expect(question.prompt.endsWith("```python\ndef area(r):")).toBe(true);
  expect(question.program("\n    return 1")).toBe("import math\n\ndef area(r):\n    return 1");
});

test("fence: without a def line anywhere the name is given and the model goes on with the arguments", () => {
  const { solution: _, ...bare } = mbpp;
  expect(questionOf(bare, "fence", render).prompt.endsWith("```python\ndef area(")).toBe(true);
});

test("a chat answer without a fence is code as it is; an unclosed fence runs to the end", () => {
  expect(codeOfChatAnswer("def f(): pass")).toBe("def f(): pass");
  expect(codeOfChatAnswer("Here:\n```py\ndef f(): pass")).toBe("def f(): pass");
});

test("cut at the earliest stop string", () => {
  expect(cutAtStop("a\nprint(1)\n# more", STOP_STRINGS)).toBe("a");
  expect(cutAtStop("print(1)", STOP_STRINGS)).toBe("print(1)");
});

const failed = {
  completion: "    return 3 * r\n",
  program: "def area(r):\n    return 3 * r\n",
  error: "AssertionError: expected 0, got\n1",
};

test("a repair's prompt shows the failed answer and the error, and ends as the question itself does", () => {
  for (const style of ["raw", "ap2o", "chat", "fence"] as const) {
    const repairs = (messages: { role: string; content: string }[]) =>
      `${messages.map(({ role, content }) => `<${role}>${content}`).join("")}<assistant>`;
    const { prompt, stop } = repairQuestionOf(problem, style, repairs, failed);
    const question = questionOf(problem, style, repairs);
    expect(prompt).toContain("return 3 * r");
    expect(prompt).toContain("AssertionError: expected 0, got");
    expect(prompt.slice(-12)).toBe(question.prompt.slice(-12));
    expect(stop).toEqual(question.stop);
  }
});

test("a repaired completion is a program in the same way as an answer to the question", () => {
  const repaired = repairQuestionOf(problem, "fence", render, failed).program("\n    return r");
  expect(repaired).toBe(questionOf(problem, "fence", render).program("\n    return r"));
});

test("raw: the error is a comment of one line between the two prompts", () => {
  expect(repairQuestionOf(problem, "raw", render, failed).prompt).toBe(
    `${problem.prompt}    return 3 * r\n# AssertionError: expected 0, got 1\n\n${problem.prompt}`,
  );
});
