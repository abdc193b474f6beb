// Real processes, killed by SIGKILL in the middle of a write, a rename or a removal: the next one goes on, and the folder is the same.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { differing, filesOf } from "../../scripts/compare_runs.mjs";
import { integer } from "../../src/random.ts";

const PROGRAM = join(import.meta.dirname, "dying_process.mjs");
/** `npm run verify -- reliability` asks for 150. */
const KILLS = Number(process.env.FAULT_KILLS ?? 2);
const place = mkdtempSync(join(tmpdir(), "errata-kills-"));
afterAll(() => rmSync(place, { recursive: true, force: true }));

/** Runs the process in a folder of this name; gives the changes it made to the disk, or null where it was killed. */
function run(name: string, ...killAt: string[]): number | null {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, join(place, name), ...killAt], { encoding: "utf8" });
  if (signal === "SIGKILL") return null;
  expect(status, stderr).toBe(0);
  return Number(stdout);
}

test(`${KILLS} kills: the same files in the end`, { timeout: 60_000 + 40_000 * KILLS }, () => {
  const changes = run("whole") ?? 0;
  expect(changes).toBeGreaterThan(200);
  const expected = filesOf(join(place, "whole"));
  for (let kill = 0; kill < KILLS; kill++) {
    const name = `killed-${kill}`;
    const at = 1 + Math.floor(((kill + 0.5) * changes) / KILLS);
    expect(run(name, String(at), String(integer(5, 0, kill, 3) / 2)), `kill at change ${at}`).toBeNull();
    run(name);
    expect(differing(expected, filesOf(join(place, name))), `killed at change ${at}`).toEqual([]);
    rmSync(join(place, name), { recursive: true });
  }
});
