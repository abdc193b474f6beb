// Whether two runs left the same behind: every byte of every file, times and rates taken out.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Every file of a run's folder, times and rates taken out.
 * @param {string} folder
 * @returns {Map<string, string>}
 */
export function filesOf(folder) {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    names.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const text = readFileSync(path).toString("latin1");
      return [path.slice(folder.length + 1), timeless(text)];
    }),
  );
}

/**
 * The names of the files that differ.
 * @param {Map<string, string>} a
 * @param {Map<string, string>} b
 */
export function differing(a, b) {
  return [...new Set([...a.keys(), ...b.keys()])].filter((name) => a.get(name) !== b.get(name)).sort();
}

/** A file's text without what no two runs have in common. @param {string} text */
export function timeless(text) {
  return text.replace(/"seconds": \{[^}]*\}|"tokens_per_second":[^,}]*/g, "");
}
