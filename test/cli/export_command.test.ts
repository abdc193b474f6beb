// errata export: each format, read back by another reader than the one that wrote it.
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unzipSync } from "fflate";
import { expect, test } from "vitest";
import { crc32c } from "../../src/bytes.ts";
import { exportCommand } from "../../src/cli/export_command.ts";
import { fakeRunFiles, folderOf } from "../ap2o/fake_run.ts";

type Format = "peft" | "trl" | "evalplus" | "tensorboard" | "zip";
const files = await fakeRunFiles("ap2o-h2l");
const folder = folderOf({
  ...files,
  "adapter/adapter_config.json": "{}",
  "adapter_last/adapter_config.json": '{"last":true}',
  "unfinished/journal": "x",
});

async function exported(format: Format, run = folder, checkpoint: "best" | "last" = "best"): Promise<string> {
  const out = mkdtempSync(join(tmpdir(), "errata-export-"));
  const printed: string[] = [];
  const progress = { show: () => {}, say: () => {}, end: () => {} };
  const console = { print: (line: string) => void printed.push(line), progress, interrupted: new AbortController().signal };
  await exportCommand.run({ run, format, out, checkpoint }, console, "");
  for (const path of printed) expect(existsSync(path)).toBe(true);
  return out;
}

const linesIn = (file: string) =>
  readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

test("trl: prompt, chosen, rejected of every pair in its order, and nothing else", async () => {
  const rows = linesIn(join(await exported("trl"), "train.jsonl"));
  const preferences = files["preferences.jsonl"]!.trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(rows).toEqual(preferences.map(({ prompt, chosen, rejected }) => ({ prompt, chosen, rejected })));
  const sft = linesIn(join(await exported("trl", folderOf(await fakeRunFiles("sft"))), "train.jsonl"));
  expect(Object.keys(sft[0])).toEqual(["prompt", "completion"]);
});

test("evalplus: the evaluations' programs, a file each", async () => {
  const out = await exported("evalplus");
  expect(readdirSync(out).sort()).toEqual(["after.jsonl", "after_last.jsonl", "before.jsonl"]);
  const rows = linesIn(join(out, "after.jsonl"));
  expect(rows).toHaveLength(8 * 6);
  expect(Object.keys(rows[0])).toEqual(["task_id", "solution"]);
});

test("peft: the best adapter's files, or the last one's", async () => {
  expect(readFileSync(join(await exported("peft"), "adapter_config.json"), "utf8")).toBe("{}");
  expect(readFileSync(join(await exported("peft", folder, "last"), "adapter_config.json"), "utf8")).toBe('{"last":true}');
  await expect(exported("peft", folderOf(files))).rejects.toThrow("the run has trained nothing yet");
});

test("zip: the whole run without what an unfinished one keeps", async () => {
  const zip = unzipSync(new Uint8Array(readFileSync(join(await exported("zip"), "run.zip"))));
  expect(Object.keys(zip).sort()).toEqual(
    [...Object.keys(files), "adapter/adapter_config.json", "adapter_last/adapter_config.json"].sort(),
  );
  expect(new TextDecoder().decode(zip["run.json"])).toBe(files["run.json"]);
});

test("CRC-32C: the check value of the standard, and those of RFC 3720", () => {
  expect(crc32c(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
});

/** The records of an event file, their checksums verified, and of each what a scalar needs. */
function readEvents(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const masked = (from: number, to: number) => {
    const crc = crc32c(bytes.subarray(from, to));
    return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
  };
  const events: { step: number; tag: string; value: number; version: string }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(view.getBigUint64(at, true));
    expect(view.getUint32(at + 8, true)).toBe(masked(at, at + 8));
    expect(view.getUint32(at + 12 + length, true)).toBe(masked(at + 12, at + 12 + length));
    events.push(readEvent(bytes.subarray(at + 12, at + 12 + length)));
    at += length + 16;
  }
  return events;
}

function fieldsOf(bytes: Uint8Array): Map<number, Uint8Array | number> {
  const fields = new Map<number, Uint8Array | number>();
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const wire = key & 7;
    if (wire === 0) fields.set(key >> 3, varint());
    else if (wire === 1) fields.set(key >> 3, view.getFloat64((at += 8) - 8, true));
    else if (wire === 5) fields.set(key >> 3, view.getFloat32((at += 4) - 4, true));
    else {
      const length = varint();
      fields.set(key >> 3, bytes.subarray(at, (at += length)));
    }
  }
  return fields;
}

function readEvent(bytes: Uint8Array) {
  const event = fieldsOf(bytes);
  const text = (part: unknown) => (part instanceof Uint8Array ? new TextDecoder().decode(part) : "");
  const summary = event.get(5);
  const value = summary instanceof Uint8Array ? fieldsOf(summary).get(1) : undefined;
  const scalar = value instanceof Uint8Array ? fieldsOf(value) : new Map();
  return { step: Number(event.get(2) ?? 0), tag: text(scalar.get(1)), value: Number(scalar.get(2)), version: text(event.get(3)) };
}

test("tensorboard: every metric of every step and every quiz, in records whose checksums hold", async () => {
  const out = await exported("tensorboard");
  const [name] = readdirSync(out);
  expect(name).toMatch(/^events\.out\.tfevents\.\d+\.errata$/);
  const [version, ...events] = readEvents(new Uint8Array(readFileSync(join(out, name!))));
  expect(version!.version).toBe("brain.Event:2");
  const metrics = files["metrics.jsonl"]!.trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const losses = events.filter(({ tag }) => tag === "train/loss");
  expect(losses.map(({ step }) => step)).toEqual(metrics.map(({ step }) => step));
  expect(losses[0]!.value).toBeCloseTo(metrics[0].loss, 6);
  const quizzes = files["quizzes.jsonl"]!.trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(events.filter(({ tag }) => tag === "quiz/pass@1").map(({ step }) => step)).toEqual(quizzes.map(({ step }) => step));
  expect(events.some(({ tag }) => tag === "quiz_errors/AssertionError")).toBe(true);
});
