// npm run speed: measures with `errata bench` and writes docs/results/speed.md, a section for each adapter; other adapters' sections stay.
// An adapter that computes on the processor gets one layer of the 0.5B shape: all 24 would take an hour. `npm run speed -- gemm step` measures these alone, in processor time with --processor-time.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const file = join(root, "docs", "results", "speed.md");

const HEAD = `# Speed

Written by \`npm run speed\`. "of product" is the share of the run's fastest product; what lies beside the figures was measured in the same run. Operations are
counted from the shapes: attention's backward pass as five products. "Processor time" is what all threads of the process spent together, on a machine with
other work: a second of it is half a second on two idle cores. Weights are random, float32. Goals and what was missed: [log.md](../log.md), "Speed".
`;

/**
 * The benchmarks of an adapter, by title.
 * @param {boolean} software
 * @returns {[title: string, args: string[]][]}
 */
function benchmarks(software) {
  const some = software ? ["--layers", "1", "--prompt", "128", "--answer", "64"] : [];
  return [
    ["Products, against jax-js", ["gemm", "--tokens", software ? "128" : "128,512", "--peer", "jax-js"]],
    ["Attention of a layer", ["attention", ...some]],
    ["The head", software ? ["head", "--layers", "1", "--rows", "16"] : ["head"]],
    [software ? "A training step, one layer of 24" : "A training step", ["step", ...some]],
    ["A training step of the embedded model", ["step", "--model-shape", "demo", "--pairs", "8", "--prompt", "64", "--answer", "24"]],
    ["Sampling with the embedded model", ["sample", "--model-shape", "demo", "--prompt", "64", "--answer", "24"]],
    ["Judging", ["judge"]],
  ];
}

const words = process.argv.slice(2);
const processorTime = words.includes("--processor-time");
const clock = processorTime ? ["--import", join(root, "scripts", "processor_clock.mjs")] : [];

/** @param {string[]} args */
const errata = (args) =>
  execFileSync(process.execPath, [...clock, join(root, "bin", "errata.mjs"), "bench", ...args], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });

const wanted = words.filter((word) => !word.startsWith("--"));
const { adapter } = JSON.parse(errata(["gemm", "--model-shape", "demo", "--tokens", "16", "--json"]));
const description = adapter.description || `${adapter.vendor} ${adapter.architecture}`;
const name = processorTime ? `${description}, processor time` : description;
const software = /swiftshader|llvmpipe|lavapipe|basic render/i.test(`${adapter.architecture} ${name}`);

const parts = sectionOf(name);
for (const [title, args] of benchmarks(software)) {
  if (wanted.length > 0 && !wanted.includes(args[0])) continue;
  process.stderr.write(`bench ${args.join(" ")}\n`);
  parts.set(title, `\`errata bench ${args.join(" ")}\`\n\n${errata(args).trim()}\n`);
  writeSection(name, parts);
}

/**
 * What stands in the file of this adapter, by title.
 * @param {string} adapterName
 * @returns {Map<string, string>}
 */
function sectionOf(adapterName) {
  const sections = readSections();
  const text = sections.get(adapterName) ?? "";
  return new Map(
    text
      .split(/^### /m)
      .slice(1)
      .map((part) => [part.slice(0, part.indexOf("\n")), part.slice(part.indexOf("\n")).trim()]),
  );
}

/** @returns {Map<string, string>} */
function readSections() {
  if (!existsSync(file)) return new Map();
  const parts = readFileSync(file, "utf8").split(/^## /m).slice(1);
  return new Map(parts.map((part) => [part.slice(0, part.indexOf("\n")), part.slice(part.indexOf("\n")).trim()]));
}

/**
 * @param {string} adapterName
 * @param {Map<string, string>} titled
 */
function writeSection(adapterName, titled) {
  const sections = readSections();
  sections.set(adapterName, [...titled].map(([title, text]) => `### ${title}\n\n${text.trim()}`).join("\n\n"));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${HEAD}\n${[...sections].map(([adapterHead, text]) => `## ${adapterHead}\n\n${text}\n`).join("\n")}`);
}
