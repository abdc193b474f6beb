// Places that are nearly full take a part of a write, or nothing, without an error; and names that a power cut may not take.
import type * as fs from "node:fs";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { differing, filesOf } from "../../scripts/compare_runs.mjs";
import { diskFolder } from "../../src/cli/disk_folder.ts";
import { writeWhole } from "../../src/cli/write_whole.ts";
import { InputError } from "../../src/input_error.ts";
import { reasonOf } from "../../src/storage/careful_keeper.ts";
import { opfsFolder } from "../../src/storage/opfs_folder.ts";
import { standInRun } from "./stand_in_run.ts";

/** What the disk still takes; every call takes at most half of what it is given. */
let room = Number.POSITIVE_INFINITY;
/** The calls that change names or make them last, by what they were about. */
let calls: string[] = [];

vi.mock("node:fs", async (original) => {
  const real = await original<typeof fs>();
  const opened = new Map<number, string>();
  return {
    ...real,
    openSync: (path: string, flags: string) => {
      const file = real.openSync(path, flags);
      opened.set(file, path);
      return file;
    },
    fsyncSync: (file: number) => {
      calls.push(`flush ${opened.get(file)}`);
      real.fsyncSync(file);
    },
    renameSync: (from: string, to: string) => {
      calls.push(`rename ${to}`);
      real.renameSync(from, to);
    },
    writeSync: (file: number, bytes: Uint8Array, offset: number, length: number, position: number) => {
      const taken = Math.min(Math.ceil(length / 2), room);
      room -= taken;
      return taken === 0 ? 0 : real.writeSync(file, bytes, offset, taken, position);
    },
    appendFileSync: (path: string, content: string) => {
      const taken = Math.min(content.length, room);
      room -= taken;
      real.appendFileSync(path, content.slice(0, taken));
      if (taken < content.length) throw Object.assign(new Error("full"), { code: "ENOSPC" });
    },
  };
});

const text = (value: string) => new TextEncoder().encode(value);
let place = "";
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "errata-full-"));
  room = Number.POSITIVE_INFINITY;
  calls = [];
});
afterEach(() => rmSync(place, { recursive: true }));

describe("a disk", () => {
  test("that takes a part at a time gets all; one that takes no more is told, and the file before stays", async () => {
    const folder = diskFolder(place);
    await folder.write("a", text("before"));
    const log = await folder.openLog("log", 0);
    await log.append(text("0123456789"));
    room = 4;
    await expect(folder.write("a", text("afterwards"))).rejects.toThrow(InputError);
    room = 4;
    await expect(log.append(text("abcdefgh"))).rejects.toThrow(`${place} cannot be written: the disk is full`);
    await log.close();
    expect(readFileSync(join(place, "a"), "utf8")).toBe("before");
    expect(existsSync(join(place, "a.part"))).toBe(false);
    expect(readFileSync(join(place, "log"), "utf8").slice(0, 10)).toBe("0123456789");
  });

  test("is told to keep the bytes before the name, then the name, and the folders' names", () => {
    const path = join(place, "one", "two", "a");
    writeWhole(path, "text");
    const made = [`flush ${join(place, "one")}`, `flush ${place}`];
    const file = [`flush ${path}.part`, `rename ${path}`];
    const named = [`flush ${join(place, "one", "two")}`];
    expect(calls).toEqual(process.platform === "win32" ? file : [...made, ...file, ...named]);
  });
});

test("a run that a full disk ends says so, and goes on when there is room: the same files, wherever it was", {
  timeout: 60_000,
}, async () => {
  const [whole, full] = [join(place, "whole"), join(place, "full")];
  room = 1e9;
  await standInRun(whole);
  const taken = 1e9 - room;
  for (const share of [0.01, 0.3, 0.6, 0.8, 0.95]) {
    room = Math.floor(share * taken);
    await expect(standInRun(full), `full at ${share}`).rejects.toThrow(`the disk is full; name another place or make room.`);
    room = Number.POSITIVE_INFINITY;
    await standInRun(full);
    expect(differing(filesOf(whole), filesOf(full)), `full at ${share}`).toEqual([]);
    rmSync(full, { recursive: true });
  }
});

test("a browser's storage that takes no byte more ends the append, as a full one", async () => {
  let left = 6;
  const handle = {
    truncate() {},
    write: (bytes: Uint8Array) => {
      const taken = Math.min(bytes.length, left, 4);
      left -= taken;
      return taken;
    },
  };
  const directory = {
    getDirectoryHandle: async () => directory,
    getFileHandle: async () => ({ createSyncAccessHandle: async () => handle }),
  };
  vi.stubGlobal("navigator", { storage: { getDirectory: async () => directory } });
  const log = await (await opfsFolder("runs")).openLog("run/journal", 0);
  await log.append(text("12345"));
  const failed = await log.append(text("123")).catch((error: unknown) => error);
  expect(reasonOf(failed)).toMatch(/^The browser's storage is full/);
  vi.unstubAllGlobals();
});
