// One test for each rule by which code is taken out of what a model wrote.
import { expect, test } from "vitest";
import { codeIn, codeOfAnswer } from "../../src/tasks/extract.ts";

const asked = { prompt: 'import math\n\n\ndef area(r):\n    """Area of a circle."""\n', entryPoint: "area" };
const free = { prompt: "Write area(r).", entryPoint: "area" };
const code = "def area(r):\n    return math.pi * r * r\n";
const whole = `import math\n\n${code}`;

test.each([
  ["a fenced block", `\`\`\`python\n${whole}\`\`\``, whole],
  ["prose before and after the block", `Sure! Here it is:\n\n\`\`\`python\n${whole}\`\`\`\n\nIt uses math.pi.`, whole],
  ["a block without a language", `\`\`\`\n${whole}\`\`\``, whole],
  ["a block of tildes", `~~~py\n${whole}~~~`, whole],
  ["an indented block", `1. Like so:\n   \`\`\`python\n${whole.replace(/^(?=.)/gm, "   ")}   \`\`\``, whole],
  ["a block that is not closed", `\`\`\`python\n${whole}`, whole],
  ["the fence that opens it was in the prompt", `${whole}\`\`\`\nThis works because of geometry.`, whole],
  ["several blocks: the one that defines the function", `\`\`\`python\nprint(area(1))\n\`\`\`\nor\n\`\`\`python\n${whole}\`\`\``, whole],
  [
    "several that define it: the first",
    `\`\`\`python\n${whole}\`\`\`\nor\n\`\`\`python\ndef area(r):\n    return 3 * r * r\n\`\`\``,
    whole,
  ],
  ["blocks in other languages are passed over", `\`\`\`bash\npip install math\n\`\`\`\n\`\`\`python\n${whole}\`\`\``, whole],
  ["no block: prose around the code is left out", `Here is the function:\n\n${whole}\nThis function computes the area.`, whole],
  ["Windows line ends", `\`\`\`python\r\n${whole.replaceAll("\n", "\r\n")}\`\`\``, whole],
  ["thoughts before the answer", `<think>\n\`\`\`python\ndef area(r): pass\n\`\`\`\n</think>\n\`\`\`python\n${whole}\`\`\``, whole],
  ["code that is only code stays as it is", whole, whole],
  [
    "a docstring with a paragraph of prose in it",
    `def area(r):\n    """Area.\n\nThe usual one.\n"""\n    return 3 * r * r\n`,
    `def area(r):\n    """Area.\n\nThe usual one.\n"""\n    return 3 * r * r\n`,
  ],
])("%s", (_, answer, program) => {
  expect(codeOfAnswer(answer, free)).toBe(program);
});

test("the whole function again: what stands before it in the prompt is kept", () => {
  expect(codeOfAnswer(`\`\`\`python\n${code}\`\`\``, asked)).toBe(`import math\n\n${code}`);
});
test.each([
  ["as it should be", "    return math.pi * r * r\n"],
  ["without its indentation", "return math.pi * r * r\n"],
  ["in a block", "```python\n    return math.pi * r * r\n```"],
])("a bare body %s goes on with the prompt", (_, body) => {
  expect(codeOfAnswer(body, asked).trimEnd()).toBe(`${asked.prompt}    return math.pi * r * r`);
});
test("a bare body of which only the first line lost its indentation", () => {
  expect(codeOfAnswer("x = r * r\n    return math.pi * x", asked).trimEnd()).toBe(`${asked.prompt}    x = r * r\n    return math.pi * x`);
  expect(codeOfAnswer("if r:\n    return 1\nreturn 0", asked)).toBe(`${asked.prompt}    if r:\n        return 1\n    return 0`);
});
test("for a program that reads its input: the longest Python block", () => {
  expect(codeIn("```\n3\n```\n```python\nn = int(input())\nprint(n)\n```\n```python\nx\n```")).toBe("n = int(input())\nprint(n)\n");
});
test("an empty answer stays empty", () => {
  expect(codeIn("")).toBe("");
  expect(codeIn("I cannot do that.")).toBe("I cannot do that.");
});
