// What installing Errata brings to a machine: the packages that the lock file names by their hashes, and none of their scripts.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

interface Locked {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
}

const root = join(import.meta.dirname, "../..");
const json = (file: string) => JSON.parse(readFileSync(join(root, file), "utf8"));
const { packages }: { packages: Record<string, Locked> } = json("package-lock.json");
const locked = Object.entries(packages).filter(([path]) => path !== "");
const { dependencies, devDependencies }: Record<"dependencies" | "devDependencies", Record<string, string>> = json("package.json");

test("every package is locked to one version and its SHA-512, and to no address", () => {
  expect(locked.length).toBeGreaterThan(100);
  const odd = locked.filter(([, { version, integrity, link }]) => !version || !/^sha512-[\w+/]{86}==$/.test(integrity ?? "") || link);
  expect(odd).toEqual([]);
  expect(locked.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]); // whatever answers, the hash decides
});

test("what Errata asks for itself is one version each, the one that is locked", () => {
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
    expect(version, name).toMatch(/^\d+\.\d+\.\d+$/);
    expect(packages[`node_modules/${name}`]?.version, name).toBe(version);
  }
});

test("no package's install script runs; the only one there is would do nothing that is needed", () => {
  const env = { ...process.env, npm_config_ignore_scripts: undefined };
  const { stdout } = spawnSync("npm config get ignore-scripts", { cwd: root, env, encoding: "utf8", shell: true });
  expect(stdout.trim()).toBe("true");
  expect(locked.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path)).toEqual(["node_modules/webgpu"]);
});
