// npm run record: makes the recorded runs of public/recorded/ anew: the command line's own runs, zipped, and recordings.json, which says
// how each was made. About ten minutes a run on a software adapter.
// npm run record -- FOLDER COMMIT packs runs that were made already: FOLDER/METHOD/, made with the code of COMMIT.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureDependencies, fail, repository, requireNode } from "./install.mjs";

const METHODS = ["ap2o-h2l", "ap2o-l2h", "ap2o-h2l-noreplay"];
const PRESET = "demo";
const SEED = 1;
/** What the page reads of a run; adapters would make up most of the size, and need a GPU. */
const FILES = ["run.json", "notebook.json", "samples.jsonl", "results.jsonl", "metrics.jsonl", "preferences.jsonl", "quizzes.jsonl"];
/** Zips hold times; the same run is to give the same bytes. */
const MTIME = new Date("2026-01-01T00:00:00");

function commandOf(/** @type {string} */ method) {
  return ["run", "--method", method, "--preset", PRESET, "--seed", String(SEED), "--out", `runs/${method}`];
}

/** Makes a run. @param {string} method @param {string} folder */
function make(method, folder) {
  const args = [join(repository, "bin", "errata.mjs"), ...commandOf(method).slice(0, -1), join(folder, method)];
  const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
  if (status !== 0) throw new Error(`errata ${args.slice(1).join(" ")} ended with status ${status}.`);
}

async function main() {
  try {
    requireNode();
    ensureDependencies();
    const { zipSync } = await import("fflate");
    const [given, commit = execFileSync("git", ["rev-parse", "HEAD"], { cwd: repository, encoding: "utf8" }).trim()] =
      process.argv.slice(2);
    const folder = given ?? mkdtempSync(join(tmpdir(), "errata-record-"));
    const target = join(repository, "public", "recorded");
    mkdirSync(target, { recursive: true });
    const recordings = [];
    for (const method of METHODS) {
      if (!given) make(method, folder);
      const files = Object.fromEntries(FILES.map((file) => [file, new Uint8Array(readFileSync(join(folder, method, file)))]));
      const zip = zipSync(files, { level: 9, mtime: MTIME });
      writeFileSync(join(target, `${method}.zip`), zip);
      const sha256 = createHash("sha256").update(zip).digest("hex");
      recordings.push({
        file: `${method}.zip`,
        command: `npm run -s errata -- ${commandOf(method).join(" ")}`,
        seed: SEED,
        commit,
        bytes: zip.length,
        sha256,
      });
      console.log(`${method}.zip: ${zip.length} bytes`);
    }
    writeFileSync(join(target, "recordings.json"), `${JSON.stringify(recordings, null, 2)}\n`);
  } catch (error) {
    fail(error, 1);
  }
}

await main();
