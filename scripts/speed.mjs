// npm run speed: measures with what `errata bench` is made of and writes docs/results/speed.md, a section for each adapter; other sections stay. One
// device and one compilation serve all of an adapter's benchmarks. `npm run speed -- gemm step` measures these alone, in processor time with
// --processor-time. Judging and growth need no adapter: `npm run speed -- gemm attention head step sample` leaves them out for a second one.
// `npm run speed -- onnxruntime-web` measures that peer on Chromium's own adapter; it has to be installed for that (src/cli/ort_peer.ts).
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openModules } from "./modules.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const file = join(root, "docs", "results", "speed.md");

const HEAD = `# Speed

Written by \`npm run speed\`. "of product" is the share of the run's fastest product; what lies beside the figures was measured in the same run. Operations are
counted from the shapes: attention's backward pass as five products. "Processor time" is what all threads of the process spent together, on a machine with
other work: a second of it is half a second on two idle cores. Weights are random, float32. One layer of 24 comes with a 24th of the vocabulary, so that products,
attention and head keep their shares of a step. Goals and what was missed: [log.md](../log.md), "Speed".
`;
const NO_ADAPTER = "Without an adapter";

/**
 * The benchmarks of an adapter, by title.
 * @param {boolean} software
 * @returns {[title: string, args: string[]][]}
 */
function benchmarks(software) {
  const demo = ["--model-shape", "demo"];
  return [
    ["Products, against jax-js", ["gemm", "--peer", "jax-js"]],
    .../** @type {[string, string[]][]} */ (
      software ? [["Products of 512 tokens, against jax-js", ["gemm", "--tokens", "512", "--peer", "jax-js"]]] : []
    ),
    ["Attention of a layer", ["attention"]],
    ["The head", ["head"]],
    [software ? "A training step, one layer of 24" : "A training step", ["step", "--profile"]],
    ["A training step of the embedded model", ["step", ...demo, "--profile"]],
    ["A step by the number of its pairs", ["step", ...demo, "--pairs", "1,2,4,8,16,32"]],
    ["A step by the length of its prompts", ["step", ...demo, "--pairs", "2", "--prompt", "32,64,128,256,384"]],
    ["Sampling with the embedded model", ["sample", ...demo]],
    .../** @type {[string, string[]][]} */ (software ? [] : [["Sampling at the 0.5B shape", ["sample", "--dtype", "f16"]]]),
  ];
}

const words = process.argv.slice(2);
const processorTime = words.includes("--processor-time");
if (processorTime) await import("./processor_clock.mjs");
const wanted = words.filter((word) => !word.startsWith("--"));
const isWanted = (/** @type {string} */ subject) => wanted.length === 0 || wanted.includes(subject);

const modules = await openModules();
const { benchCommand, benchmark, describeMachine, measure, openMachine, table } = await modules.import("/src/cli/bench_command.ts");
const { readFlags } = await modules.import("/src/cli/flags.ts");
const { openProgress } = await modules.import("/src/cli/progress.ts");
const progress = openProgress(process.stderr);

if (benchmarks(true).some(([, [subject = ""]]) => isWanted(subject))) await measureAdapter();
if (wanted.includes("onnxruntime-web") && !processorTime) {
  const args = ["--peer", "onnxruntime-web"]; // in Chromium's own processes
  const { machine, rows } = await benchmark("gemm", readFlags("bench", benchCommand.flags, args), progress);
  const name = `Chromium, ${nameOf(machine.adapter)}`;
  keep(
    name,
    "Products, against onnxruntime-web",
    `\`errata bench gemm ${args.join(" ")}\`\n\n${describeMachine(machine)}\n\n${table(rows).join("\n")}`,
  );
}
if (isWanted("judge")) {
  const rows = await measure(null, "judge", readFlags("bench", benchCommand.flags, []), progress);
  keep(named(NO_ADAPTER), "Judging", `\`errata bench judge\`\n\n${table(rows).join("\n")}`);
}
if (isWanted("growth")) {
  const { measureGrowth } = await modules.import("/scripts/growth.ts");
  const { markdown, missed } = await measureGrowth((/** @type {string} */ what) => progress.say(what));
  keep(
    named(NO_ADAPTER),
    "Growth of a run's own work with its answers",
    `Seconds of a whole run with stand-ins for model and sandbox, on disk.\n\n${markdown}`,
  );
  for (const miss of missed) progress.say(`missed: ${miss}`);
}
process.exit(0); // Dawn would keep the process alive

async function measureAdapter() {
  const machine = await openMachine(progress);
  for (const [title, [subject = "", ...args]] of benchmarks(machine.gpu.software)) {
    if (!isWanted(subject)) continue;
    progress.say(`bench ${subject} ${args.join(" ")}`);
    const rows = await measure(machine, subject, readFlags("bench", benchCommand.flags, args), progress);
    const command = ["errata bench", subject, ...args].join(" ");
    keep(named(nameOf(machine.adapter)), title, `\`${command}\`\n\n${describeMachine(machine)}\n\n${table(rows).join("\n")}`);
  }
}

/** @param {{ description: string, vendor: string, architecture: string }} adapter */
function nameOf({ description, vendor, architecture }) {
  return description || `${vendor} ${architecture}`;
}

/** @param {string} name */
function named(name) {
  return processorTime ? `${name}, processor time` : name;
}

/**
 * Puts a part in its place; all others stay.
 * @param {string} section
 * @param {string} title
 * @param {string} text
 */
function keep(section, title, text) {
  writeSection(section, sectionOf(section).set(title, text));
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
