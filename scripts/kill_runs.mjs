// Kills runs of the command line at random moments, lets them go on, and compares what they leave behind with a run that was never
// killed: node scripts/kill_runs.mjs FOLDER KILLS. A run is killed several times before it may end: what a kill costs is mostly the start
// after it. A line of JSON per run goes to FOLDER/kill_runs.jsonl; called again, it goes on there, with the same run to compare with.
import { spawn } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { differing, filesOf } from "./compare_runs.mjs";
import { SETTINGS } from "./small_run.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const MOST_KILLS = 5; // of one run
const LONGEST_LIFE = 0.6; // between two of them, of the time that the run takes
const BIN = join(ROOT, "bin", "errata.mjs");

/**
 * @typedef {{ status: number | null, signal: string | null, seconds: number, errors: string }} Ended
 * @typedef {{ trial: number, kills: { after: number, at: string }[], equal: boolean, different: string[], seconds: number }} Trial
 */

/**
 * Runs the command; kills the whole process group after `killAfter` seconds.
 * @param {string} out
 * @param {readonly string[]} more
 * @param {number} killAfter
 * @returns {Promise<Ended & { killed: boolean }>}
 */
function run(out, more, killAfter = Number.POSITIVE_INFINITY) {
  const settings = Object.entries(SETTINGS).map(([name, value]) => `${name}=${value}`);
  const args = [BIN, "run", "--preset", "smoke", "--seed", "3", "--set", settings.join(), "--out", out, ...more];
  const started = performance.now();
  const child = spawn(process.execPath, args, { detached: true, stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  child.stderr.on("data", (text) => (errors += text));
  let killed = false;
  const timer =
    killAfter === Number.POSITIVE_INFINITY
      ? undefined
      : setTimeout(() => {
          killed = true;
          process.kill(-Number(child.pid), "SIGKILL");
        }, killAfter * 1000);
  return new Promise((resolve) => {
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      resolve({ status, signal, seconds: (performance.now() - started) / 1000, errors, killed });
    });
  });
}

/** @param {string} folder what the killed run had reached, by what it kept */
function reached(folder) {
  const journal = join(folder, "unfinished", "journal");
  if (!existsSync(journal)) return existsSync(join(folder, "run.json")) ? "end" : "before the journal";
  const last = readFileSync(journal, "utf8").trimEnd().split("\n").at(-1) ?? "";
  const sitting = /"sitting":"([^"]+)"/.exec(last)?.[1];
  const step = /"type":"step","metrics":\{"step":(\d+)/.exec(last)?.[1];
  return sitting ?? (step ? `step ${step}` : "begun");
}

/**
 * One run, killed again and again, then to the end.
 * @param {number} trial
 * @param {number} most kills
 * @param {string} folder
 * @param {number} wholeSeconds
 * @param {Map<string, string>} expected
 * @returns {Promise<Trial>}
 */
async function kill(trial, most, folder, wholeSeconds, expected) {
  const started = performance.now();
  const out = join(folder, "killed");
  rmSync(out, { recursive: true, force: true });
  const kills = [];
  let more = /** @type {string[]} */ ([]);
  while (kills.length < most) {
    const after = Math.random() * LONGEST_LIFE * wholeSeconds;
    const ended = await run(out, more, after);
    if (!ended.killed) break;
    kills.push({ after: Math.round(after * 100) / 100, at: existsSync(out) ? reached(out) : "before the folder" });
    more = ["--resume"];
  }
  const ended = await run(out, more.length > 0 ? more : ["--resume"]);
  const different = ended.status === 0 ? differing(expected, filesOf(out)) : [`status ${ended.status}: ${ended.errors.slice(-300)}`];
  return { trial, kills, equal: different.length === 0, different, seconds: (performance.now() - started) / 1000 };
}

/**
 * The run that is not killed: gives the seconds that it took.
 * @param {string} out
 * @param {string} note where they are kept
 */
async function wholeRun(out, note) {
  if (existsSync(note)) return Number(readFileSync(note, "utf8"));
  rmSync(out, { recursive: true, force: true });
  const { status, errors, seconds } = await run(out, []);
  if (status !== 0) throw new Error(`the run that is not killed failed: ${errors}`);
  writeFileSync(note, String(seconds));
  console.error(`not killed: ${seconds.toFixed(0)} s`);
  return seconds;
}

async function main() {
  const [folder, wanted] = [process.argv[2], Number(process.argv[3])];
  if (!folder || !Number.isInteger(wanted)) throw new Error("node scripts/kill_runs.mjs FOLDER KILLS");
  mkdirSync(folder, { recursive: true });
  const log = join(folder, "kill_runs.jsonl");
  const whole = join(folder, "whole");
  const seconds = await wholeRun(whole, join(folder, "whole.json"));
  const expected = filesOf(whole);
  const trials = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
  let killed = trials.reduce((sum, line) => sum + JSON.parse(line).kills.length, 0);
  for (let trial = trials.length; killed < wanted; trial++) {
    const result = await kill(trial, Math.min(MOST_KILLS, wanted - killed), folder, seconds, expected);
    killed += result.kills.length;
    appendFileSync(log, `${JSON.stringify(result)}\n`);
    console.error(JSON.stringify(result));
  }
}

await main();
