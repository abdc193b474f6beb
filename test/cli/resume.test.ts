// errata run on folders that hold a run: what is refused, and how it is said. Nothing here needs a GPU.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { configOf } from "../../src/ap2o/presets.ts";
import { diskFolder } from "../../src/cli/disk_folder.ts";
import { main } from "../../src/cli/main.ts";
import { lockFolder } from "../../src/cli/run_lock.ts";
import { RunKeeper } from "../../src/storage/run_store.ts";

let folder: string;
let run: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "errata-resume-"));
  run = join(folder, "run");
});
afterEach(() => rmSync(folder, { recursive: true }));

async function errata(...args: string[]) {
  let [stdout, stderr] = ["", ""];
  const streams = {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: Object.assign(Object.create(process.stderr), { isTTY: false, write: (text: string) => (stderr += text) }),
  };
  return { status: await main(["run", "--out", run, "--preset", "smoke", ...args], streams), stdout, stderr };
}

async function beginRun(): Promise<void> {
  const config = configOf("smoke", "ap2o-h2l", 0, {});
  const model = { id: "errata-demo", dtype: "f32", sha256: "0" };
  const head = { id: "a", started: "2026-01-01", preset: "smoke", config, model, problems: "0", device: "none", kernels: {} };
  await (await RunKeeper.begin(diskFolder(join(run, "unfinished")), head, () => 0)).close();
}

/** What --resume says to a finished run of such a run.json. */
async function finish(fields: Record<string, unknown>, ...args: string[]) {
  const record = { finished: true, method: "ap2o-h2l", preset: "smoke", seed: 0, config: configOf("smoke", "ap2o-h2l", 0, {}), steps: 12 };
  writeFileSync(join(run, "run.json"), JSON.stringify({ ...record, ...fields }));
  return errata("--resume", ...args);
}

test("a folder with an unfinished run is not begun anew", async () => {
  await beginRun();
  const { status, stdout, stderr } = await errata();
  expect([status, stdout]).toEqual([2, ""]);
  expect(stderr).toBe(`errata: ${run} holds an unfinished run: go on with it by --resume, or delete ${run}/unfinished to begin anew.\n`);
  expect(existsSync(join(run, "unfinished", "journal"))).toBe(true);
});

test("--resume with other settings names each of them", async () => {
  await beginRun();
  const { status, stderr } = await errata("--resume", "--method", "dpo", "--set", "steps=5");
  expect(status).toBe(2);
  expect(stderr).toContain(
    'was begun with other settings: method ("ap2o-h2l" there, "dpo" here), steps (12 there, 5 here); give the same ones',
  );
});

test("a run of another version is refused and left as it is", async () => {
  mkdirSync(join(run, "unfinished"), { recursive: true });
  const journal = join(run, "unfinished", "journal");
  writeFileSync(journal, "errata-journal 7\n...\n");
  const { status, stderr } = await errata("--resume");
  expect(status).toBe(2);
  expect(stderr).toContain("was written by another version of Errata (format 7, this one reads 2)");
  expect(readFileSync(journal, "utf8")).toBe("errata-journal 7\n...\n");
});

test("--resume of a finished run has nothing to do; of one with other settings it says so", async () => {
  mkdirSync(run);
  const { status, stdout, stderr } = await finish({});
  expect([status, JSON.parse(stdout).steps]).toEqual([0, 12]);
  expect(stderr).toContain("the run is finished");
  expect((await errata("--resume", "--seed", "4")).stderr).toContain(
    "holds a finished run of other settings: seed (0 there, 4 here); give the same ones, or name another --out.",
  );
});

test("--resume of a run that was finished with another model, dtype or problems is refused, each with both values", async () => {
  mkdirSync(run);
  const { stdout } = await finish({});
  expect(JSON.parse(stdout).steps).toBe(12);
  const other = await finish({ model: { id: "other", dtype: "int8", sha256: "0123456789abcdef" }, problems: "fedcba9876543210" });
  expect([other.status, other.stdout]).toEqual([2, ""]);
  expect(other.stderr).toMatch(
    /finished run of other settings: problems \("fedcba987654" there, "[0-9a-f]{12}" here\), model \("other" there, "demo" here\), dtype \("int8" there, "f32" here\), model's sha256 \("0123456789ab" there/,
  );
  const { split_seed: _, ...older } = configOf("smoke", "ap2o-h2l", 0, {});
  expect((await finish({ config: older })).status).toBe(0); // a setting that came later is at its default
  expect((await finish({ config: older }, "--split-seed", "2")).stderr).toContain("split_seed (0 there, 2 here)");
});

test("two processes do not work on one run; a lock of one that was killed does not count", () => {
  const place = join(run, "unfinished");
  const unlock = lockFolder(place);
  const lock = join(place, "lock");
  const mine = readFileSync(lock, "utf8");
  writeFileSync(lock, `${process.ppid}\n`); // a process that is alive
  expect(() => lockFolder(place)).toThrow(`Process ${process.ppid} is at work on the run in ${place}`);
  expect(() => lockFolder(place)).toThrow(`if it is no errata, delete ${lock}.`);
  expect(readFileSync(lock, "utf8")).toBe(`${process.ppid}\n`);
  for (const gone of ["999999999\n", "", "no number\n"]) {
    writeFileSync(lock, gone);
    if (gone !== "999999999\n") {
      expect(() => lockFolder(place)).toThrow(`Another process is just taking ${place}`);
      utimesSync(lock, 0, 0);
    }
    lockFolder(place);
    expect(readFileSync(lock, "utf8")).toBe(mine);
  }
  expect(readdirSync(place)).toEqual(["lock"]);
  unlock();
  expect(existsSync(join(place, "lock"))).toBe(false);
});

test("a lock of a process whose number another one has now does not count where the system tells them apart", () => {
  const place = join(run, "unfinished");
  const lock = join(place, "lock");
  const told = process.platform === "linux";
  const boot = told ? readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim() : "boot";
  const began = told ? readFileSync(`/proc/${process.ppid}/stat`, "utf8").replace(/^.*\)/s, "").split(" ")[20] : "1";
  mkdirSync(place, { recursive: true });
  const locked = (owner: string) => {
    writeFileSync(lock, `${process.ppid} ${owner}\n`);
    return () => lockFolder(place);
  };
  expect(locked(`${boot} ${began}`)).toThrow("is at work on the run");
  for (const other of [`${boot} 1`, `another-boot ${began}`]) {
    if (told) expect(locked(other)).not.toThrow();
    else expect(locked(other)).toThrow("is at work on the run");
  }
});

test("files on disk are whole or not there, and a log goes on where it is told to", async () => {
  const disk = diskFolder(run);
  expect([await disk.list(), await disk.read("a")]).toEqual([[], null]);
  await disk.write("b/c", Uint8Array.of(1, 2, 3));
  const log = await disk.openLog("log", 0);
  await log.append(Uint8Array.of(1, 2, 3, 4));
  await log.flush();
  await log.close();
  const again = await disk.openLog("log", 2);
  await again.append(Uint8Array.of(9));
  await again.close();
  expect([...(await disk.read("log"))!]).toEqual([1, 2, 9]);
  expect((await disk.list()).sort((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
    { path: "b/c", bytes: 3 },
    { path: "log", bytes: 3 },
  ]);
  await disk.remove("b");
  expect((await disk.list()).map(({ path }) => path)).toEqual(["log"]);
});
