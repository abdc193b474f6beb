// A process that ends itself by SIGKILL at its n-th change of the disk, in the middle of it: node dying_process.mjs FOLDER [N SHARE].
// SHARE of the bytes of a write are still written.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const [folder, at, share] = process.argv.slice(2);
const killAt = at ? Number(at) : Number.POSITIVE_INFINITY;
let changes = 0;

/** @returns whether this change is the last one */
function last() {
  changes += 1;
  return changes === killAt;
}

const die = () => process.kill(process.pid, "SIGKILL");

const real = { ...fs };
const patched = {
  /** @param {number} file @param {Uint8Array} bytes @param {number} from @param {number} length @param {number} position */
  writeSync(file, bytes, from, length, position) {
    if (last()) {
      real.writeSync(file, bytes, from, Math.floor(length * Number(share)), position);
      die();
    }
    return real.writeSync(file, bytes, from, length, position);
  },
  /** @param {string} path @param {string} text */
  appendFileSync(path, text) {
    if (last()) {
      real.appendFileSync(path, text.slice(0, Math.floor(text.length * Number(share))));
      die();
    }
    return real.appendFileSync(path, text);
  },
};
/**
 * A change that is done whole or not at all.
 * @template {unknown[]} A
 * @template R
 * @param {(...args: A) => R} change
 * @returns {(...args: A) => R}
 */
const dying =
  (change) =>
  (...args) => {
    const isLast = last();
    if (isLast && Number(share) < 0.5) die();
    const result = change(...args);
    if (isLast) die();
    return result;
  };
Object.assign(patched, {
  renameSync: dying(real.renameSync),
  rmSync: dying(real.rmSync),
  ftruncateSync: dying(real.ftruncateSync),
  mkdirSync: dying(real.mkdirSync),
  fsyncSync: dying(real.fsyncSync),
});
const { openModules } = await import("../../scripts/modules.mjs");
const modules = await openModules();
const { standInRun } = await modules.import("/test/faults/stand_in_run.ts");
Object.assign(fs, patched); // only now: what Vite does to load the code is not the run's
syncBuiltinESMExports();
await standInRun(folder);
process.stdout.write(`${changes}\n`, () => process.exit(0));
