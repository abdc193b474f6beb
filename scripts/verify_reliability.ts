// npm run verify -- reliability: kills, lost devices, bad numbers and broken files by the hundred. Most of it is test/faults/ with larger
// counts; the command line's kills are of whole runs, model, sandbox and all.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repository } from "./install.mjs";
import type { Finding, Part } from "./verify_step.ts";

interface Assertion {
  fullName: string;
  status: string;
  duration?: number;
}

/** Kills of the command line's own runs, and of the page's; each takes about half as long as a small run. */
const KILLS = Number(process.env.ERRATA_KILLS ?? 200);
const PROCESS_KILLS = Number(process.env.ERRATA_PROCESS_KILLS ?? 150);
const PAGE_KILLS = Number(process.env.ERRATA_PAGE_KILLS ?? 100);
const DEVICE_LOSSES = Number(process.env.ERRATA_DEVICE_LOSSES ?? 20);
const SOAK_MINUTES = Number(process.env.ERRATA_SOAK_MINUTES ?? 120);
/** Of a run's time. */
const ALLOWED_OVERHEAD = 0.02;

/** Runs a file of test/faults/ with larger counts; a line per test. */
function faults(file: string, counts: Record<string, number>, say: (text: string) => void): Finding {
  const folder = mkdtempSync(join(tmpdir(), "errata-verify-"));
  const report = join(folder, "report.json");
  const args = ["run", "--project", "node", `test/faults/${file}`, "--reporter=json", `--outputFile=${report}`];
  const env = { ...process.env, ...Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, String(count)])) };
  say(`${file} ${JSON.stringify(counts)}`);
  spawnSync(process.execPath, [join(repository, "node_modules", "vitest", "vitest.mjs"), ...args], {
    cwd: repository,
    env,
    stdio: "ignore",
  });
  const { testResults }: { testResults: { assertionResults: Assertion[] }[] } = existsSync(report)
    ? JSON.parse(readFileSync(report, "utf8"))
    : { testResults: [] };
  rmSync(folder, { recursive: true });
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  const lines = tests.map(({ fullName, status, duration = 0 }) => `| ${fullName} | ${status} | ${(duration / 1000).toFixed(1)} s |`);
  const missed = tests.filter(({ status }) => status !== "passed").map(({ fullName }) => `${file}: ${fullName} failed`);
  if (tests.length === 0) missed.push(`${file} did not run`);
  return { markdown: ["| test | result | time |", "|---|---|---|", ...lines].join("\n"), missed };
}

interface Trial {
  kills: { after: number; at: string }[];
  equal: boolean;
  different: string[];
}

/** Where what takes long is kept, so that it can go on. */
const place = (name: string) => join(repository, "node_modules", ".cache", "errata", "verify", "reliability", name);

/** Lets a script kill `count` times and tells what came of them. */
function kills(script: string, count: number, how: string): Finding {
  const folder = place("kills");
  mkdirSync(folder, { recursive: true });
  spawnSync(process.execPath, [join(repository, "scripts", `${script}.mjs`), folder, String(count)], { stdio: "inherit" });
  const log = join(folder, `${script}.jsonl`);
  return existsSync(log) ? killsTable(readFileSync(log, "utf8"), how) : { markdown: "None was killed.", missed: [`${script} did not run`] };
}

/** The figures of a file of trials. */
function killsTable(lines: string, how: string): Finding {
  const trials: Trial[] = lines
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const kills = trials.flatMap((trial) => trial.kills);
  const places = new Map<string, number>();
  for (const { at } of kills) places.set(at, (places.get(at) ?? 0) + 1);
  const equal = trials.filter((trial) => trial.equal).length;
  const where = [...places].map(([at, count]) => `${at} ${count}`).join(", ");
  return {
    markdown: `${trials.length} runs with model, GPU and sandbox, ${kills.length} kills (${how}): **${equal} of ${trials.length} ended with the same bytes** as the run that was not killed. Killed at: ${where}.`,
    missed: trials.filter((trial) => !trial.equal).map(({ different }) => `a killed run differs: ${different.join(", ")}`),
  };
}

/** What keeping a run safe costs: time spent on journal and checkpoints, of the run's own. */
function overhead(): Finding {
  const out = mkdtempSync(join(tmpdir(), "errata-overhead-"));
  const args = [join(repository, "bin", "errata.mjs"), "run", "--preset", "smoke", "--seed", "1", "--out", out];
  const { stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
  const spent = Number(/keeping it safe took ([\d.]+) s/.exec(stderr)?.[1]);
  if (status !== 0 || !Number.isFinite(spent)) return { markdown: "The run failed.", missed: [`the run failed: ${stderr.slice(-300)}`] };
  const { seconds }: { seconds: Record<string, number | null> } = JSON.parse(readFileSync(join(out, "run.json"), "utf8"));
  rmSync(out, { recursive: true });
  const { firstStep: _, ...stages } = seconds;
  const total = Object.values(stages).reduce<number>((sum, part) => sum + (part ?? 0), 0);
  const share = spent / total;
  return {
    markdown: `Preset smoke: ${spent.toFixed(2)} s of ${total.toFixed(0)} s on journal and checkpoints, **${(100 * share).toFixed(2)} %**.`,
    missed: share > ALLOWED_OVERHEAD ? [`keeping takes ${(100 * share).toFixed(1)} % of the time`] : [],
  };
}

function soak(): Finding {
  const { stdout, status } = spawnSync(process.execPath, [join(repository, "scripts", "soak.mjs"), String(SOAK_MINUTES)], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  return { markdown: stdout.trim(), missed: status === 0 ? [] : ["memory or listeners grew during the soak"] };
}

type Context = { say: (text: string) => void };

const step = (name: string, title: string, run: (context: Context) => Finding) => ({
  name,
  title,
  needs: [],
  run: async (context: Context) => run(context),
});

export const part: Part = {
  title: "Nothing lost",
  about:
    "Made by `npm run verify -- reliability`; `ERRATA_KILLS`, `ERRATA_PAGE_KILLS`, `ERRATA_PROCESS_KILLS`, `ERRATA_DEVICE_LOSSES` and `ERRATA_SOAK_MINUTES` set how long it takes; unless told, 200, 100, 150, 20 and 120. Each step is kept when it is done, and the kills go on where they were.",
  steps: [
    step("writes", "Killed at every write", ({ say }) => faults("resume.test.ts", {}, say)),
    step("processes", "Processes killed in the middle of a write", ({ say }) =>
      faults("killed_process.test.ts", { FAULT_KILLS: PROCESS_KILLS }, say),
    ),
    step("messages", "The page's engine killed at each of its messages", ({ say }) =>
      faults("killed_worker.test.ts", { FAULT_EVERY: 1 }, say),
    ),
    step("kills", "Runs of the command line killed at random moments", () =>
      kills("kill_runs", KILLS, "SIGKILL of the process group at a random moment, up to five times before a run may end"),
    ),
    step("page", "The page closed or crashed at random moments", () =>
      kills(
        "kill_page",
        PAGE_KILLS,
        "two thirds of the pages closed, a third crashed, at a random moment, up to five times before a run may end",
      ),
    ),
    step("devices", "A device lost while it answers and learns", ({ say }) =>
      faults("lasting_student.test.ts", { FAULT_POINTS: DEVICE_LOSSES }, say),
    ),
    step("numbers", "NaN in 20 computed tensors and 20 weights", ({ say }) => faults("first_bad.test.ts", { FAULT_POINTS: 20 }, say)),
    step("files", "120,000 broken files", ({ say }) => faults("untrusted_files.test.ts", { FAULT_FILES: 10_000 }, say)),
    step("overhead", "What keeping a run safe costs", overhead),
    step("soak", "A page that runs for long", soak),
  ],
};
