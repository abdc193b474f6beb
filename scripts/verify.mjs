// npm run verify -- [PART ...] [--data DIR] [--again]: the long checks, whose results are committed in docs/results/. A part is a
// list of steps; each keeps its result as soon as it has one, so a run that was ended goes on where it was.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { fail, repository } from "./install.mjs";
import { openModules } from "./modules.mjs";

/** @import { Finding, Part, Step } from "./verify_step.ts" */

/** The parts, each a module that exports `part`; its results go to docs/results/NAME.md. @type {Record<string, string>} */
const PARTS = {
  judge: "/scripts/verify_judge.ts",
  reliability: "/scripts/verify_reliability.ts",
  real: "/scripts/verify_real.ts",
};

/**
 * @param {string} part
 * @param {string} step
 */
const keptPath = (part, step) => join(repository, "node_modules", ".cache", "errata", "verify", part, `${step}.json`);

/** The commit that is checked out, marked where files differ from it. */
function revision() {
  const git = (/** @type {string[]} */ ...args) => spawnSync("git", args, { cwd: repository, encoding: "utf8" }).stdout.trim();
  return `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain", "--", "src") === "" ? "" : " with changes"}`;
}

/**
 * The step's result: kept from before, or made now; null where its data are not there.
 * @param {string} name of the part
 * @param {Step} step
 * @param {{ data: string | null, again: boolean }} how
 * @returns {Promise<(Finding & { revision: string, date: string }) | null>}
 */
async function resultOf(name, step, { data, again }) {
  const kept = keptPath(name, step.name);
  if (existsSync(kept) && !again) {
    console.log(`${name}/${step.name}: kept from before`);
    return JSON.parse(readFileSync(kept, "utf8"));
  }
  const missing = step.needs.filter((file) => data === null || !existsSync(join(data, file)));
  if (missing.length > 0) {
    console.log(
      `${name}/${step.name}: skipped, ${missing.join(", ")} not found${data === null ? ": name their folder with --data" : ` in ${data}`}`,
    );
    return null;
  }
  console.log(`${name}/${step.name}: ${step.title}`);
  const started = Date.now();
  const finding = await step.run({ data: (file) => join(data ?? "", file), say: (text) => console.log(`  ${text}`) });
  const result = { ...finding, revision: revision(), date: new Date().toISOString().slice(0, 10) };
  mkdirSync(join(kept, ".."), { recursive: true });
  writeFileSync(kept, JSON.stringify(result));
  console.log(
    `  done in ${Math.round((Date.now() - started) / 1000)} s${finding.missed.map((sentence) => `\n  MISSED: ${sentence}`).join("")}`,
  );
  return result;
}

/**
 * What the results say of a step that was not run now.
 * @param {string} markdown
 * @param {string} title
 */
function sectionOf(markdown, title) {
  const section = markdown.split(/^## /m).find((text) => text.startsWith(`${title}\n`));
  return section?.slice(title.length).trim() ?? "Not measured.";
}

/**
 * Runs a part's steps and writes its results.
 * @param {string} name
 * @param {Part} part
 * @param {{ data: string | null, again: boolean, only: string | null }} how
 * @returns {Promise<string[]>} what was missed
 */
async function runPart(name, part, how) {
  const file = `docs/results/${part.file ?? `${name}.md`}`;
  const path = join(repository, file);
  const before = existsSync(path) ? readFileSync(path, "utf8") : "";
  const sections = [];
  const missed = [];
  for (const step of part.steps) {
    const again = how.again && (how.only === null || how.only === step.name);
    const skip = how.only !== null && how.only !== step.name && !existsSync(keptPath(name, step.name));
    const result = skip ? null : await resultOf(name, step, { data: how.data, again });
    const text = result ? `${result.markdown.trim()}\n\n*${result.date}, at ${result.revision}.*` : sectionOf(before, step.title);
    sections.push(`## ${step.title}\n\n${text}\n`);
    missed.push(...(result?.missed ?? []));
  }
  writeFileSync(path, `# ${part.title}\n\n${part.about}\n\n${sections.join("\n")}`);
  console.log(`${name}: written to ${file}`);
  return missed;
}

/** The flags; null, and the sentence said, where they are wrong. */
function parseFlags() {
  const options = /** @type {const} */ ({ data: { type: "string" }, again: { type: "boolean" }, step: { type: "string" } });
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    fail(error, 2);
    return null;
  }
}

async function main() {
  const flags = parseFlags();
  if (!flags) return;
  const { values, positionals } = flags;
  const unknown = positionals.find((name) => !(name in PARTS));
  if (unknown !== undefined) return fail(`npm run verify knows the parts ${Object.keys(PARTS).join(", ")}, not ${unknown}.`, 2);
  const beside = resolve(repository, "..", "shared", "data");
  const data = values.data ?? process.env.ERRATA_DATA ?? (existsSync(beside) ? beside : null);
  const modules = await openModules();
  const missed = [];
  for (const name of positionals.length > 0 ? positionals : Object.keys(PARTS)) {
    const { part } = await modules.import(PARTS[name] ?? "");
    const how = {
      data: data === null ? null : resolve(process.env.INIT_CWD ?? ".", data),
      again: values.again ?? false,
      only: values.step ?? null,
    };
    missed.push(...(await runPart(name, part, how)));
  }
  for (const sentence of missed) console.log(`missed: ${sentence}`);
  process.exit(missed.length === 0 ? 0 : 1); // Vite's watchers would keep it alive
}

await main();
