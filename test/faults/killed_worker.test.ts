// The engine's worker, killed at any of the messages that it sends: the page that is opened next goes on with what is on the disk at that
// moment, or begins anew where nothing is, and the kept files are the same to the byte. On a machine that is played (test/worker/).
import { expect, test, vi } from "vitest";
import { integer } from "../../src/random.ts";
import * as fake from "../worker/fake_machine.ts";
import { keptFiles, machine, newMachine, openDriver, RUN } from "../worker/fake_machine.ts";
import type { MemoryFolder } from "./memory_folder.ts";

vi.mock("../../src/gpu/device.ts", async (original) => ({ ...(await original<object>()), openDevice: fake.openDevice }));
vi.mock("../../src/gpu/gpu.ts", async (original) => ({ ...(await original<object>()), Gpu: fake.FakeGpu }));
vi.mock("../../src/model/model.ts", () => ({ loadModel: fake.loadModel, freeModel: () => {} }));
vi.mock("../../src/ap2o/engine_student.ts", () => ({
  newStudent: fake.newStudent,
  continuedStudent: fake.newStudent,
  EngineStudent: fake.MachineStudent,
}));
vi.mock("../../src/python/sandbox_judge.ts", () => ({ SandboxJudge: fake.FakeSandbox }));
vi.mock("../../src/storage/opfs_folder.ts", () => ({ opfsFolder: async () => machine.openFolder() }));
vi.mock("../../src/worker/workbench.ts", async (original) => ({ ...(await original<object>()), checkDriver: async () => null }));

const { port1: port } = new MessageChannel();
const dead = new Promise<never>(() => {});
/** How often a page went on with a kept run. */
let goneOn = 0;

/**
 * A page on a disk, which trains to the end or is killed at its n-th message.
 * @returns the disk as it is then, and how many messages there were
 */
async function page(disk: MemoryFolder | null, killAt: number): Promise<{ disk: MemoryFolder; messages: number; killed: boolean }> {
  newMachine();
  if (disk) machine.folder = disk;
  const folder = machine.folder;
  let messages = 0;
  const killed = new Promise<MemoryFolder>((resolve) => {
    machine.onEvent = () => {
      messages += 1;
      if (messages !== killAt) return;
      resolve(folder.survivor());
      machine.onCall = () => dead;
      folder.before = () => dead;
    };
  });
  const left = await Promise.race([killed, trained(folder)]);
  await new Promise((resolve) => setImmediate(resolve)); // until the killed one stands still
  return { disk: left, messages, killed: left !== folder };
}

/** What a user does: goes on with the run that is offered, or starts one where none is kept. */
async function trained(folder: MemoryFolder): Promise<MemoryFolder> {
  const { ask, of } = await openDriver();
  await ask({ type: "open", base: "http://localhost/", power: "high-performance" });
  await ask({ type: "sandbox", port });
  await ask({ type: "runs" });
  const [kept] = of("runs").at(-1)!.runs;
  if (kept && !kept.finished) goneOn += 1;
  const failed = kept?.finished ? null : await ask(kept ? { type: "goOn", run: kept.id } : RUN);
  expect(failed).toBeNull();
  return folder;
}

/** Kills one page after the other at these messages, then lets one train to the end; gives the kept files. */
async function files(...killAt: number[]): Promise<Record<string, string>> {
  let disk: MemoryFolder | null = null;
  for (const at of [...killAt, Number.POSITIVE_INFINITY]) ({ disk } = await page(disk, at));
  return keptFiles(disk!);
}

/** Every so many messages; `npm run verify -- reliability` asks for each. */
const EVERY = Number(process.env.FAULT_EVERY ?? 4);
const ROUNDS = Math.ceil(12 / EVERY);
const whole = await page(null, Number.POSITIVE_INFINITY);
const expected = keptFiles(whole.disk);

test("killed at any of its messages: the next page's files are the same", { timeout: 120_000 }, async () => {
  expect(whole.messages).toBeGreaterThan(80);
  expect(Object.keys(expected)).toContain("files/adapter/adapter_model.safetensors");
  for (let at = 1; at <= whole.messages; at += EVERY) expect(await files(at), `killed at message ${at}`).toEqual(expected);
  expect(goneOn).toBeGreaterThan(whole.messages / EVERY / 2);
});

test("killed again and again: the same", { timeout: 60_000 }, async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const at = Array.from({ length: 5 }, (_, kill) => 1 + integer(21, round, kill, whole.messages));
    expect(await files(...at), `killed at messages ${at}`).toEqual(expected);
  }
});
