// A machine without GPU, sandbox and disk for the engine's driver: what it computes is played (test/ap2o/fakes.ts), and its devices, its
// network and its storage fail when a test says so. A test file names the modules that these stand for, since mocks are hoisted there.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { vi } from "vitest";
import { timeless } from "../../scripts/compare_runs.mjs";
import type { Ask, AskOptions, Lesson, Written } from "../../src/ap2o/student.ts";
import type { AdapterInfo } from "../../src/gpu/device.ts";
import type { Counters } from "../../src/gpu/gpu.ts";
import type { JudgeRequest } from "../../src/python/judge.ts";
import { infraError } from "../../src/python/verdict.ts";
import type { Command, Event } from "../../src/worker/protocol.ts";
import { FakeJudge, FakeStudent } from "../ap2o/fakes.ts";
import { MemoryFolder } from "../faults/memory_folder.ts";

/** What a test sets, and what it looks at afterwards. */
export const machine = {
  devices: [] as FakeDevice[],
  /** Models that were loaded. */
  loads: 0,
  /** How often the driver fails to open a device from now on. */
  refusals: 0,
  online: true,
  /** Calls of the GPU and the sandbox so far, across all devices. */
  calls: 0,
  /** Is told of each call before it is done: "load", "write", "learn", "weights", "judge". */
  onCall: (_what: string, _call: number): void | Promise<void> => {},
  /** Hears of each event of the engine when it is told. */
  onEvent: (_event: Event): void => {},
  folder: new MemoryFolder(),
  vendor: "fake",
  /** Each opening of the folder hears of it. */
  openFolder: () => machine.folder,
};

/** As it is when the page is opened for the first time. */
export function newMachine(): void {
  const counts = { devices: [], loads: 0, refusals: 0, online: true, calls: 0, vendor: "fake" };
  const links = { onCall: () => {}, onEvent: () => {}, folder: new MemoryFolder(), openFolder: () => machine.folder };
  Object.assign(machine, counts, links);
}

async function call(what: string): Promise<void> {
  machine.calls += 1;
  await machine.onCall(what, machine.calls);
}

class FakeDevice {
  gone = false;
  lost: Promise<{ reason: string; message: string }>;
  destroy: () => void = () => {};

  constructor() {
    this.lost = new Promise((resolve) => {
      this.destroy = () => {
        this.gone = true;
        resolve({ reason: "unknown", message: "a test's" });
      };
    });
  }
}

/** The device that was opened last. */
export const latestDevice = (): FakeDevice => machine.devices.at(-1) ?? new FakeDevice();

export async function openDevice() {
  if (machine.refusals > 0) {
    machine.refusals -= 1;
    throw new Error("No WebGPU adapter: use a browser with WebGPU switched on.");
  }
  const device = new FakeDevice();
  machine.devices.push(device);
  const adapter: AdapterInfo = { vendor: machine.vendor, architecture: "", description: "", limits: {}, features: [] };
  return { device, adapter };
}

export class FakeGpu {
  readonly device: FakeDevice;
  readonly software = true;
  readonly counters: Partial<Counters> = { peakBytes: 0 };
  tiles = {};

  constructor(device: FakeDevice) {
    this.device = device;
  }

  destroy(): void {
    this.device.destroy();
  }
}

/** A call of the GPU: on one that is lost it fails. */
async function onGpu(gpu: FakeGpu, what: string): Promise<void> {
  await call(what);
  const { GpuFailure } = await import("../../src/gpu/gpu.ts");
  if (gpu.device.gone) throw new GpuFailure("the GPU device was lost (unknown): a test's");
}

export async function loadModel(gpu: FakeGpu, files: { id: string; open(path: string): Promise<unknown> }, { dtype }: { dtype: string }) {
  await files.open("model.safetensors");
  await onGpu(gpu, "load");
  machine.loads += 1;
  const config = { vocabulary: 1, layers: 1, contextLength: 1 };
  return { id: files.id, parameters: 1, dtype, sha256: "0", config };
}

interface FakeEngine {
  gpu: FakeGpu;
  model: { id: string };
}

/** On the engine that it was made with. */
export class MachineStudent extends FakeStudent {
  readonly #gpu: FakeGpu;

  constructor({ gpu }: FakeEngine) {
    super({ gain: (step) => (step <= 4 ? 0.06 : -0.2) });
    this.#gpu = gpu;
  }

  override async *write(questions: readonly Ask[], options: AskOptions): AsyncGenerator<Written> {
    for await (const written of super.write(questions, options)) {
      await onGpu(this.#gpu, "write");
      yield written;
    }
  }

  override async learn(batch: readonly Lesson[]) {
    await onGpu(this.#gpu, "learn");
    return super.learn(batch);
  }

  override async weights() {
    await onGpu(this.#gpu, "weights");
    return super.weights();
  }

  free(): void {}
}

export const newStudent = (engine: FakeEngine): MachineStudent => new MachineStudent(engine);

export class FakeSandbox {
  readonly #judge = new FakeJudge(false);

  async ready(): Promise<void> {}

  async judge(requests: readonly JudgeRequest[]) {
    await call("judge");
    return this.#judge.judge(requests);
  }

  async close(): Promise<void> {}
}

/** About every other answer passes, whatever a real model writes. */
export class EvenSandbox {
  async ready(): Promise<void> {}

  async judge(requests: readonly JudgeRequest[]) {
    return requests.map(({ program }) => {
      const passes = [...program].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 2 === 0;
      return { ...infraError(""), ...(passes ? { verdict: "pass" } : { verdict: "runtime_error", errorType: "TypeError" }) };
    });
  }

  async close(): Promise<void> {}
}

const files = join(import.meta.dirname, "../../public");

/** The page's own server. */
export async function fetchFile(url: URL | string): Promise<Response> {
  if (!machine.online) throw new TypeError("Failed to fetch");
  const path = join(files, new URL(url).pathname);
  return new Response(readFileSync(path, { flag: "r" }));
}

/** One tab's view of the browser's locks. */
function fakeLocks() {
  const held = new Set<string>();
  return {
    query: async () => ({ held: [...held].map((name) => ({ name })) }),
    request: async (name: string, _options: object, work: (lock: object | null) => Promise<void>) => {
      if (held.has(name)) return work(null);
      held.add(name);
      try {
        await work({});
      } finally {
        held.delete(name);
      }
    },
  };
}

type Ordered<T> = T extends { id: number } ? Omit<T, "id"> : never;

/** A page's engine, opened. */
export async function openDriver() {
  vi.stubGlobal("fetch", fetchFile);
  vi.stubGlobal("navigator", { locks: fakeLocks(), userAgent: "test" });
  const { EngineDriver } = await import("../../src/worker/engine.ts");
  const events: Event[] = [];
  const driver = new EngineDriver((event) => {
    events.push(event);
    machine.onEvent(event);
  });
  let id = 0;
  /** Gives null, or the sentence that the command failed with. */
  const ask = async (command: Ordered<Command>): Promise<string | null> => {
    const order = { ...command, id: ++id };
    await driver.handle(order);
    const end = events.find((event) => (event.type === "done" || event.type === "failed") && event.id === order.id);
    return end?.type === "failed" ? end.message : null;
  };
  const of = <T extends Event["type"]>(type: T) => events.filter((event): event is Extract<Event, { type: T }> => event.type === type);
  return { ask, of };
}

/** A run that takes milliseconds. */
export const SMALL = {
  exam_n: 6,
  evaluation_n: 2,
  quiz_n: 2,
  steps: 6,
  quiz_steps: 3,
  batch_size: 2,
  training_problems: 4,
  validation_problems: 2,
  evaluation_problems: 2,
};

export const RUN = { type: "start", run: { preset: "smoke", method: "ap2o-h2l", seed: 5, overrides: SMALL, from: null } } as const;

/** A run's kept files, what no two runs have in common taken out. */
export function keptFiles(folder: MemoryFolder): Record<string, string> {
  const kept = [...folder.files].filter(([path]) => !path.endsWith(".part"));
  return Object.fromEntries(kept.map(([path, bytes]) => [path.replace(/^[^/]*\//, ""), timeless(Buffer.from(bytes).toString("latin1"))]));
}
