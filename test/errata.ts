// The command line in this process: what the program does, without its start.
import { expect } from "vitest";
import { main } from "../src/cli/main.ts";
import { jsonLines } from "./golden/golden.ts";

/** Runs a command; gives its exit status and what it wrote. */
export async function errata(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  let [stdout, stderr] = ["", ""];
  const status = await main(args, {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: Object.assign(Object.create(process.stderr), { isTTY: false, write: (text: string) => (stderr += text) }),
  });
  return { status, stdout, stderr };
}

/** Runs a command that must succeed; gives the values of its lines. */
export async function errataLines<T = unknown>(...args: string[]): Promise<T[]> {
  const { status, stdout, stderr } = await errata(...args);
  expect(status, stderr).toBe(0);
  return jsonLines(stdout);
}
