import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { chromiumFlags, findChromium } from "../../scripts/find_chromium.mjs";

const folder = mkdtempSync(join(tmpdir(), "errata chromium "));

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

function program(...path: string[]): string {
  const file = join(folder, ...path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, "");
  chmodSync(file, 0o755);
  return file;
}

test("ERRATA_CHROMIUM wins", () => {
  const named = program("my own", "chrome");
  vi.stubEnv("ERRATA_CHROMIUM", named);
  expect(findChromium()).toBe(named);
});

test("ERRATA_CHROMIUM that names nothing is refused, not passed over", () => {
  vi.stubEnv("ERRATA_CHROMIUM", join(folder, "none"));
  expect(() => findChromium()).toThrow(/ERRATA_CHROMIUM names .*none, which is not a file/);
});

test("Playwright's newest comes before one on PATH, and its headless shell does not count", () => {
  const onPath = program("bin", process.platform === "win32" ? "chromium.exe" : "chromium");
  vi.stubEnv("ERRATA_CHROMIUM", "");
  vi.stubEnv("PATH", `${join(folder, "bin")}${delimiter}${process.env.PATH}`);
  vi.stubEnv("PLAYWRIGHT_BROWSERS_PATH", join(folder, "playwright"));
  expect(findChromium()).toBe(onPath);
  program("playwright", "chromium_headless_shell-2000", "chrome-linux64", "chrome");
  expect(findChromium()).toBe(onPath);
  program("playwright", "chromium-999", "chrome-linux64", "chrome");
  const newest = program("playwright", "chromium-1255", "chrome-linux64", "chrome");
  expect(findChromium()).toBe(newest);
});

test("WebGPU's switches only where WebGPU is wanted", () => {
  expect(chromiumFlags({ webgpu: true })).toContain("--use-webgpu-adapter=swiftshader");
  expect(chromiumFlags({ webgpu: false }).filter((flag) => /gpu/.test(flag))).toEqual([]);
});
