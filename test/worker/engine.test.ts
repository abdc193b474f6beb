// The engine's driver on a machine that is played: runs that are stopped, lost, kept and gone on with, as the page orders them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { MemoryFolder } from "../faults/memory_folder.ts";
import * as fake from "./fake_machine.ts";
import { keptFiles, latestDevice, machine, newMachine, openDriver, RUN } from "./fake_machine.ts";

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

beforeEach(newMachine);
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const { port1: port } = new MessageChannel();

/** A page whose model is loaded. */
async function openPage() {
  const page = await openDriver();
  expect(await page.ask({ type: "open", base: "http://localhost/", power: "high-performance" })).toBeNull();
  expect(await page.ask({ type: "sandbox", port })).toBeNull();
  return page;
}

const whole = await wholeRun();

/** The files of a run that nothing befell, and the calls that it took. */
async function wholeRun() {
  newMachine();
  const page = await openPage();
  const opening = machine.calls;
  expect(await page.ask(RUN)).toBeNull();
  vi.unstubAllGlobals();
  return { files: keptFiles(machine.folder), opening, calls: machine.calls };
}

const loseAt = (calls: readonly number[]) => (_what: string, call: number) => {
  if (calls.includes(call)) latestDevice().destroy();
};

/** Waits for it while timers run out at once. */
async function patiently<T>(work: Promise<T>): Promise<T> {
  let going = true;
  const end = () => {
    going = false;
  };
  work.then(end, end);
  while (going) {
    await vi.advanceTimersByTimeAsync(1000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return work;
}

const generate = { type: "generate", prompt: "def f():", adapter: null, temperature: 0, maxNewTokens: 1, seed: 1 } as const;

test("a run leaves its files and nothing else", () => {
  const paths = Object.keys(whole.files);
  expect(paths).toContain("files/run.json");
  expect(paths.filter((path) => !path.startsWith("files/"))).toEqual([]);
});

test("lost at any third call of a run, and at any of its last ones: one other device, the same files, and prompts are answered afterwards", async () => {
  expect(whole.calls - whole.opening).toBeGreaterThan(40);
  for (let call = whole.opening + 1; call <= whole.calls; call += call < whole.calls - 6 ? 3 : 1) {
    newMachine();
    const page = await openPage();
    machine.onCall = loseAt([call]);
    expect(await page.ask(RUN), `lost at call ${call}`).toBeNull();
    expect(keptFiles(machine.folder), `lost at call ${call}`).toEqual(whole.files);
    expect(await page.ask(generate), `lost at call ${call}`).toBeNull();
    expect([machine.devices.length, page.of("failed")], `lost at call ${call}`).toEqual([2, []]);
  }
});

test("settings and problems as someone wrote them; what makes no sense is said, and nothing begun", async () => {
  const page = await openPage();
  const ask = (settings: string, taskIds: string) => page.ask({ ...RUN, run: { ...RUN.run, settings, taskIds } });
  expect(await ask("steps", "")).toBe("A setting of the run takes NAME=VALUE; found steps.");
  expect(await ask("stepps=2", "")).toContain("stepps: there is no such setting");
  expect(await ask("", "nothing")).toContain("it has no problem with the task_id nothing");
  expect(machine.folder.files.size).toBe(0);
  const trained: { task_id: string }[] = JSON.parse(whole.files["files/notebook.json"]!).problems;
  const others = ["quiz", "before"].map((phase) =>
    whole.files["files/samples.jsonl"]!.split("\n").find((row) => row.includes(`"${phase}"`)),
  );
  const named: string[] = [trained[0]!.task_id, ...others.map((row) => JSON.parse(row!).task_id)];
  expect(await ask("steps=2, quiz_n=3", named.join(", "))).toBeNull();
  const files = keptFiles(machine.folder);
  expect(page.of("step")).toHaveLength(2);
  expect(files["files/run.json"]).toContain('"quiz_n": 3');
  const asked = new Set(
    files["files/samples.jsonl"]!.trim()
      .split("\n")
      .map((row) => JSON.parse(row).task_id),
  );
  expect(asked).toEqual(new Set(named));
});

test("lost while a run's last answers are judged: the run does not need it, and it is replaced when the run has ended", async () => {
  const page = await openPage();
  machine.onCall = loseAt([whole.calls]);
  expect(await page.ask(RUN)).toBeNull();
  expect(keptFiles(machine.folder)).toEqual(whole.files);
  await vi.waitFor(() => expect(machine.loads).toBe(2));
});

test("a device of another GPU in place of the one that was lost is told: its last digits may be others", async () => {
  const page = await openPage();
  machine.onCall = (_what, call) => {
    if (call !== whole.opening + 20) return;
    machine.vendor = "other";
    latestDevice().destroy();
  };
  expect(await page.ask(RUN)).toBeNull();
  expect(page.of("warning").map(({ message }) => message)).toContainEqual(expect.stringMatching(/gave way to another one \(other\)/));
});

test("lost between Start and the run's first call: one other device, the same files", async () => {
  const page = await openPage();
  machine.openFolder = () => {
    if (machine.devices.length === 1) latestDevice().destroy();
    return machine.folder;
  };
  expect(await page.ask(RUN)).toBeNull();
  expect(machine.devices.length).toBe(2);
  expect(keptFiles(machine.folder)).toEqual(whole.files);
});

test("lost while the page opens: opened again; three times within a minute: advice", async () => {
  machine.onCall = loseAt([1]);
  await openPage();
  expect(machine.devices.length).toBe(2);
  newMachine();
  machine.onCall = loseAt([1, 2, 3]);
  const page = await openDriver();
  const failure = await page.ask({ type: "open", base: "http://localhost/", power: "high-performance" });
  expect(failure).toMatch(/^The GPU failed 3 times within a minute \(.*\): close what else uses it/);
  expect(machine.devices.length).toBe(3);
});

test("lost while another model is loaded: one other device with the model before, and the other one on it", async () => {
  const page = await openPage();
  const load = machine.calls + 1;
  machine.onCall = loseAt([load]);
  const config = new File([readFileSync(join(import.meta.dirname, "../../public/models/demo/config.json"))], "config.json");
  Object.defineProperty(config, "webkitRelativePath", { value: "" }); // of browsers alone
  expect(await page.ask({ type: "load", source: { kind: "files", name: "mine", files: [config] }, dtype: "f32" })).toBeNull();
  expect(page.of("model").map(({ model }) => model.id)).toEqual(["errata-demo", "errata-demo", "mine"]);
  expect([machine.devices.length, machine.loads]).toEqual([2, 3]);
  latestDevice().destroy();
  await vi.waitFor(() => expect(machine.devices.length).toBe(3));
  await vi.waitFor(() => expect(page.of("model").at(-1)?.model.id).toBe("mine")); // not the one before
});

test("a driver that gives no device for a moment after a loss is asked again; one that never does ends the run with advice", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  const page = await openPage();
  machine.onCall = (_what, call) => {
    if (call !== whole.opening + 20) return;
    machine.refusals = 2;
    latestDevice().destroy();
  };
  expect(await patiently(page.ask(RUN))).toBeNull();
  expect(keptFiles(machine.folder)).toEqual(whole.files);

  machine.onCall = (_what, call) => {
    if (call !== machine.calls) return;
    machine.refusals = Number.POSITIVE_INFINITY;
    latestDevice().destroy();
  };
  const failure = await patiently(page.ask({ ...RUN, run: { ...RUN.run, seed: 6 } }));
  expect(failure).toMatch(/^The GPU failed 3 times .*No other device can be opened: No WebGPU adapter/);
  machine.refusals = 0;
  machine.onCall = () => {};
  expect(await patiently(page.ask(RUN))).toBeNull(); // the next start finds one
});

test("lost while offline: what was read once needs no network; a start that does is refused in a sentence", async () => {
  const page = await openPage();
  machine.online = false;
  expect(await page.ask(RUN)).toBe("problems/demo.jsonl cannot be reached: check the connection, then start again.");
  machine.online = true;
  machine.onCall = (_what, call) => {
    machine.online = false; // from the run's first call on
    if (call === whole.opening + 30) latestDevice().destroy();
  };
  expect(await page.ask(RUN)).toBeNull();
  expect(keptFiles(machine.folder)).toEqual(whole.files);
  expect(await page.ask(RUN)).toBeNull();
});

test("storage that is cleared under way: the run ends as if it were there, its files are kept, and so is the next run", async () => {
  const page = await openPage();
  const cleared = machine.folder;
  const gone = async () => Promise.reject(new DOMException("gone", "NotFoundError"));
  machine.onCall = (_what, call) => {
    if (call !== whole.opening + 40) return;
    cleared.read = cleared.write = cleared.list = cleared.remove = gone;
    cleared.killAt = 1; // its log, too
    machine.folder = new MemoryFolder();
  };
  expect(await page.ask(RUN)).toBeNull();
  expect(keptFiles(machine.folder)).toEqual(whole.files);
  expect(page.of("kept").map(({ kept }) => kept)).toEqual([false, true]);
  expect(await page.ask(RUN)).toBeNull();
  expect(
    page
      .of("runs")
      .at(-1)
      ?.runs.map(({ finished }) => finished),
  ).toEqual([true, true]);
});

test("a browser that keeps nothing says so once, and the run ends", async () => {
  const page = await openPage();
  machine.openFolder = () => {
    throw new DOMException("private", "SecurityError");
  };
  expect(await page.ask(RUN)).toBeNull();
  expect(page.of("kept")).toEqual([{ type: "kept", kept: false }]);
  expect(page.of("warning").filter(({ message }) => message.startsWith("This window keeps nothing"))).toHaveLength(1);
});

describe("a run that goes on", () => {
  /** What a page leaves that is killed in the quiz after the third step. */
  async function killed(): Promise<{ folder: MemoryFolder; id: string }> {
    const page = await openPage();
    let left = machine.folder;
    let steps = 0;
    machine.onEvent = (event) => {
      if (event.type === "step") steps += 1;
    };
    machine.onCall = (what) => {
      if (what === "write" && steps === 3) left = machine.folder.survivor();
    };
    expect(await page.ask(RUN)).toBeNull();
    newMachine();
    machine.folder = left;
    return { folder: left, id: [...left.files.keys()][0]?.split("/")[0] ?? "" };
  }

  test("gives the files of one that never stopped, and says where the GPU is another", async () => {
    const { folder, id } = await killed();
    machine.vendor = "other";
    const page = await openPage();
    expect(await page.ask({ type: "goOn", run: id })).toBeNull();
    expect(keptFiles(folder)).toEqual(whole.files);
    expect(page.of("warning")[0]?.message).toMatch(/^The run was begun on another GPU or driver \(fake\)/);
  });

  test("is stopped only once it has caught up: its files are of one and the same step", async () => {
    const { id } = await killed();
    const page = await openPage();
    machine.onEvent = (event) => {
      if (event.type === "notebook") void page.ask({ type: "stop" });
    };
    expect(await page.ask({ type: "goOn", run: id })).toBeNull();
    expect(page.of("step").map(({ metrics }) => metrics.step)).toEqual([1, 2, 3]);
    expect(await page.ask({ type: "export", run: null })).toBeNull();
    const files = new Map(
      page
        .of("exported")
        .at(-1)
        ?.files.map(({ path, bytes }) => [path, Buffer.from(bytes).toString("latin1")]),
    );
    expect(JSON.parse(files.get("run.json") ?? "{}")).toMatchObject({ steps: 3, finished: false });
    const skill = Buffer.from(files.get("adapter_last/adapter_model.safetensors")?.slice(-4) ?? "", "latin1").readFloatLE();
    expect(skill).toBeCloseTo(0.5 + 3 * 0.06, 5);
  });
});
