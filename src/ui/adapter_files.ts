// A PEFT adapter among other files: in a run's folder, in a zip, in a folder that was picked.
import type { RunFile } from "./exports.ts";

const CONFIG = "adapter_config.json";

/**
 * The files of the first adapter folder among some files, by their paths in it; a run's best adapter goes before its last.
 * @returns null where there is none
 */
export function adapterFilesOf(files: readonly RunFile[]): RunFile[] | null {
  const configs = files.map(({ path }) => path).filter((path) => path === CONFIG || path.endsWith(`/${CONFIG}`));
  const [config] = configs.sort((a, b) => a.length - b.length);
  if (config === undefined) return null;
  const folder = config.slice(0, -CONFIG.length);
  return files.filter(({ path }) => path.startsWith(folder)).map(({ path, bytes }) => ({ path: path.slice(folder.length), bytes }));
}
