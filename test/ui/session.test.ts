import { readFileSync } from "node:fs";
import { join } from "node:path";
import { zipSync } from "fflate";
import { describe, expect, test, vi } from "vitest";
import { adapterFilesOf } from "../../src/ui/adapter_files.ts";
import { openZip } from "../../src/ui/open_files.ts";
import type { TabChannel } from "../../src/ui/other_tabs.ts";
import { FIRST_RECORDING, RECORDINGS } from "../../src/ui/recorded/recordings.ts";
import { Session } from "../../src/ui/session.ts";
import { readConfig } from "../../src/ui/url_config.ts";
import { connectClient } from "../../src/worker/client.ts";
import type { Event } from "../../src/worker/protocol.ts";
import { type FakeOptions, fakeEngine } from "./fake_engine.ts";

/** A browser's tabs: what one says, the others hear. */
function browser() {
  const channels: TabChannel[] = [];
  let training = 0;
  const open = (): TabChannel => {
    const own: TabChannel = {
      onmessage: null,
      postMessage: (word) => {
        const data = structuredClone(word);
        for (const other of channels) {
          if (other !== own) queueMicrotask(() => other.onmessage?.(new MessageEvent("message", { data })));
        }
      },
    };
    channels.push(own);
    return own;
  };
  return { open, isTraining: async () => training > 0, train: (change: number) => void (training += change) };
}

function openSession(query = "", options: Partial<FakeOptions> = {}, tabs = browser(), network = Promise.resolve()) {
  let address = query;
  let tell: (event: Event) => void = () => {};
  const openSandbox = vi.fn(async () => new MessageChannel().port1);
  const engine = fakeEngine({ speed: 1e6, adapter: "software", steps: 24, ...options });
  const session = new Session(
    {
      connect: (onEvent) => {
        tell = onEvent;
        return connectClient(engine, onEvent);
      },
      openSandbox,
      fetchBytes: async (path) => {
        await network;
        return new Uint8Array(readFileSync(join(import.meta.dirname, "../../public", path)));
      },
      nextFrame: (callback) => void setTimeout(callback, 0),
      nowMs: () => performance.now(),
      channel: tabs.open(),
      isTraining: tabs.isTraining,
      base: "http://localhost/",
      query: () => address,
      setQuery: (next) => {
        address = next;
      },
    },
    readConfig(query).config,
  );
  const sent = vi.spyOn(engine, "postMessage");
  return { session, openSandbox, sent, query: () => address, tell: (event: Event) => tell(event) };
}

const reach = (session: Session, state: string) => vi.waitFor(() => expect(session.state.value).toBe(state), { timeout: 10_000 });
const stepsOf = (session: Session) => session.board.events.filter((event) => event.type === "step").length;

const zipFile = (name: string, paths: readonly string[]) =>
  new File([zipSync(Object.fromEntries(paths.map((path) => [path, new TextEncoder().encode("{}")])))], name);

describe("adapters", () => {
  const PEFT = ["adapter_config.json", "adapter_model.safetensors"];

  test("one is taken from a kept run's files, and one from the zip that Share makes", async () => {
    const { session } = openSession();
    await session.open();
    const run = { id: "a", started: "", method: "sft", preset: "demo", seed: 1, steps: 4, finished: true, bytes: 1 };
    await session.takeAdapter(run, "from the run");
    await openZip(
      session,
      zipFile(
        "errata-adapter.zip",
        PEFT.map((path) => `adapter/${path}`),
      ),
    );
    const [first, second] = session.workbench.adapters.value;
    expect([first?.name, second?.name]).toEqual(["from the run", "errata-adapter"]);
    expect(second?.parameters).toBe(2); // the fake engine counts the files that it was given
  });

  test("a run's best adapter goes before its last, by paths in its own folder", () => {
    const files = ["run.json", "adapter_last/adapter_config.json", "adapter/adapter_config.json", "adapter/adapter_model.safetensors"];
    const found = adapterFilesOf(files.map((path) => ({ path, bytes: new Uint8Array() })));
    expect(found?.map(({ path }) => path)).toEqual(PEFT);
    expect(adapterFilesOf([{ path: "run.json", bytes: new Uint8Array() }])).toBeNull();
  });

  test("a zip that is opened while the first recording is still on its way is not pushed aside", async () => {
    let arrive = () => {};
    const network = new Promise<void>((resolve) => (arrive = resolve));
    const { session } = openSession("", {}, browser(), network);
    const first = session.playRecording(FIRST_RECORDING);
    const [, other] = RECORDINGS;
    const bytes = readFileSync(join(import.meta.dirname, "../../public", other?.path ?? ""));
    await openZip(session, new File([bytes], "mine.zip"));
    arrive();
    await first;
    expect(session.screening.player.value?.archive.name).toBe("mine.zip");
  });

  test("a zip of neither is refused in a sentence", async () => {
    const { session } = openSession();
    await openZip(session, zipFile("photos.zip", ["a.png"]));
    expect(session.notice.value).toMatch(/^photos\.zip: /);
  });
});

describe("two tabs", () => {
  /** One that trains slowly enough to be watched. */
  async function trainer() {
    const tabs = browser();
    const first = openSession("?autostart=1&method=sft&seed=7", { speed: 40, steps: 6 }, tabs).session;
    tabs.train(1);
    const opening = first.open().then(() => tabs.train(-1));
    await vi.waitFor(() => expect(first.board.events.length).toBeGreaterThan(40), { timeout: 10_000 });
    return { tabs, first, opening };
  }

  test("a second one shows the same events as they come, and cannot start meanwhile", async () => {
    const { tabs, first, opening } = await trainer();
    const second = openSession("?autostart=1", {}, tabs).session;
    expect(await second.tabs.join()).toBe(true);
    await second.open();
    expect(second.source.value).toBe("watched");
    expect(second.shown.value).toMatchObject({ method: "sft", seed: 7 });
    await vi.waitFor(() => expect(second.board.events.length).toBeGreaterThan(40), { timeout: 10_000 });
    expect(second.startable.value).toBe(false);
    await second.start();
    expect(second.source.value).toBe("watched");
    await opening;
    await vi.waitFor(() => expect(second.tabs.other.value?.state).toBe("finished"));
    expect(second.board.events).toEqual(first.board.events);
    expect(second.board.run.steps).toHaveLength(6);
    expect(second.startable.value).toBe(true);
    expect(second.shelf.runs.value).toHaveLength(1);
  });

  test("a recorded run that plays is not pushed aside: the other is offered, watched, and left again", async () => {
    const { tabs, first, opening } = await trainer();
    const second = openSession("", {}, tabs).session;
    await second.playRecording(FIRST_RECORDING);
    const third = openSession("", {}, tabs).session;
    await third.tabs.join(); // its question makes the first one introduce itself to all
    await vi.waitFor(() => expect(second.tabs.other.value?.state).toBe("running"));
    expect(second.source.value).toBe("recorded");
    await second.tabs.join();
    await vi.waitFor(() => expect(second.board.run.answers.exam?.size).toBeGreaterThan(0));
    expect(second.source.value).toBe("watched");
    await second.reset();
    expect([second.source.value, second.board.events.length]).toEqual(["none", 0]);
    await opening;
    expect(second.board.events).toEqual([]);
    expect(first.board.run.finished).not.toBeNull();
  });

  test("a tab that is gone is noticed, and the runs that are kept are asked for", async () => {
    const { tabs, first, opening } = await trainer();
    await first.toggle();
    const second = openSession("", {}, tabs).session;
    await second.tabs.join();
    expect(second.tabs.other.value?.state).toBe("paused");
    tabs.train(-1); // as when the tab is closed
    await vi.waitFor(() => expect(second.tabs.other.value?.state).toBe("gone"), { timeout: 5000 });
    expect(second.announcement.value).toBe("The tab that trained is gone; its run can go on here.");
    tabs.train(1);
    await first.toggle();
    await opening;
  });
});

describe("a session", () => {
  test("is ready once the model is loaded, and downloads no sandbox unasked", async () => {
    const { session, openSandbox } = openSession();
    await session.open();
    expect(session.state.value).toBe("ready");
    expect(session.workbench.model.value?.id).toBe("errata-demo");
    expect(openSandbox).not.toHaveBeenCalled();
  });

  test("takes the quick look without a GPU, unless a size was asked for", async () => {
    const software = openSession().session;
    await software.open();
    expect(software.config.value.preset).toBe("smoke");
    const asked = openSession("?preset=demo").session;
    await asked.open();
    expect(asked.config.value.preset).toBe("demo");
    const hardware = openSession("", { adapter: "gpu" }).session;
    await hardware.open();
    expect(hardware.config.value.preset).toBe("demo");
  });

  test("puts problems to the model as chosen, and trains on from the chosen adapter", async () => {
    const { session, sent } = openSession();
    await session.open();
    await session.workbench.addAdapter("mine", []);
    session.workbench.promptStyle.value = "fence";
    session.workbench.from.value = "adapter-1";
    await session.start();
    const [start] = sent.mock.calls.map(([command]) => command).filter(({ type }) => type === "start");
    expect(start).toMatchObject({ run: { overrides: { prompt_style: "fence" }, from: "adapter-1" } });
  });

  test("more settings and a choice of problems go with the start, and stay in the address", async () => {
    const { session, sent, query } = openSession("?set=steps%3D2");
    await session.open();
    session.configure({ taskIds: "3, 12" });
    await session.start();
    const [start] = sent.mock.calls.map(([command]) => command).filter(({ type }) => type === "start");
    expect(start).toMatchObject({ run: { settings: "steps=2", taskIds: "3, 12" } });
    expect(readConfig(query()).config).toMatchObject({ set: "steps=2", taskIds: "3, 12" });
  });

  test("says so when the adapter to train on is no longer kept", async () => {
    const { session, tell } = openSession();
    await session.open();
    await session.workbench.addAdapter("mine", []);
    session.workbench.from.value = "adapter-1";
    tell({ type: "adapters", adapters: [] });
    expect(session.workbench.from.value).toBeNull();
    expect(session.notice.value).toMatch(/^The adapter to train on is no longer kept/);
  });

  test("makes another sandbox frame when the engine wants one", async () => {
    const { session, openSandbox, tell } = openSession("?autostart=1");
    await session.open();
    await reach(session, "finished");
    expect(openSandbox).toHaveBeenCalledTimes(1);
    tell({ type: "sandboxWanted" });
    expect(openSandbox).toHaveBeenCalledTimes(2);
  });

  test("plays a run to its end by itself when the URL says so", async () => {
    const { session, openSandbox } = openSession("?autostart=1");
    await session.open();
    await reach(session, "finished");
    expect(session.board.run.steps).toHaveLength(24);
    expect(session.board.run.evaluations.after).toBeDefined();
    expect(openSandbox).toHaveBeenCalledOnce();
  });

  test("pauses, goes on by one step, resumes, stops", async () => {
    const { session } = openSession("", { speed: 40, steps: 200 });
    await session.open();
    void session.start();
    await vi.waitFor(() => expect(stepsOf(session)).toBeGreaterThan(1), { timeout: 10_000 });
    await session.toggle();
    await reach(session, "paused");
    const paused = stepsOf(session);
    await session.step();
    await vi.waitFor(() => expect(stepsOf(session)).toBe(paused + 1));
    await reach(session, "paused");
    await session.toggle();
    await reach(session, "running");
    await session.stop();
    await reach(session, "finished");
  });

  test("holds what the browser does not keep until it was saved after the run's end, or another run begins", async () => {
    const { session, tell } = openSession("", { steps: 2 });
    await session.open();
    expect(session.holdsWork.value).toBe(false);
    const running = session.start();
    expect(session.holdsWork.value).toBe(true);
    tell({ type: "kept", kept: false });
    session.markSaved(); // too early: the run goes on
    await running;
    expect([session.busy.value, session.holdsWork.value]).toEqual([false, true]);
    session.markSaved();
    expect(session.holdsWork.value).toBe(false);
    tell({ type: "kept", kept: false });
    await session.start();
    expect(session.holdsWork.value).toBe(false);
  });

  test("starts again with an empty run", async () => {
    const { session } = openSession("", { steps: 2 });
    await session.open();
    await session.start();
    const events = session.board.events.length;
    await session.start();
    expect(session.board.events).toHaveLength(events);
    expect(session.board.run.steps).toHaveLength(2);
  });

  test("says what is missing when there is no adapter", async () => {
    const { session } = openSession("?autostart=1", { adapter: "none" });
    await session.open();
    expect(session.state.value).toBe("failed");
    expect(session.failure.value).toEqual({ what: "device", message: "This browser gave no WebGPU adapter." });
  });

  test("follows the trained pairs until something is picked", async () => {
    const { session } = openSession("", { steps: 3 });
    await session.open();
    await session.start();
    expect(session.board.selection.value.taskId).not.toBeNull();
    session.board.select({ errorType: "NameError" });
    expect(session.board.following.value).toBe(false);
    expect(session.board.selection.value).toMatchObject({ errorType: "NameError", taskId: null, sampleIndex: null });
  });

  test("plays a recorded run without the engine, gives way to a live one, and is empty after a reset", async () => {
    const { session } = openSession("", { steps: 2 });
    await session.playRecording(FIRST_RECORDING);
    expect(session.source.value).toBe("recorded");
    session.screening.player.value?.toTheEnd();
    expect(session.board.run.steps).toHaveLength(100);
    expect((await session.exportFiles()).map(({ path }) => path)).toContain("run.json");
    await session.open();
    expect(session.board.run.steps).toHaveLength(100); // opening the GPU leaves what is played alone
    await session.start();
    expect([session.source.value, session.screening.player.value]).toEqual(["live", null]);
    expect(session.board.run.steps).toHaveLength(2);
    await session.reset();
    expect([session.source.value, session.state.value, session.board.events.length]).toEqual(["none", "ready", 0]);
  });

  test("says in place what a recording lacks, and goes on", async () => {
    const { session } = openSession();
    await session.playRecording({ ...FIRST_RECORDING, path: "problems/demo.jsonl" });
    expect(session.notice.value).toContain("problems/demo.jsonl: expected a zip of a run");
    expect(session.source.value).toBe("none");
  });

  test("follows the pair of the moment that a recorded run is wound to", async () => {
    const { session } = openSession();
    await session.playRecording(FIRST_RECORDING);
    session.screening.player.value?.pause();
    session.screening.player.value?.seek(30_000);
    const last = session.board.run.steps.at(-1)?.step;
    const { taskId, sampleIndex } = session.board.selection.value;
    const pair = session.board.run.pairs.get(taskId ?? "")?.[0];
    expect([pair?.step, pair?.rejected_index]).toEqual([last, sampleIndex]);
  });

  test("keeps the URL with its settings", async () => {
    const { session, query } = openSession("?seed=3");
    session.configure({ method: "ap2o-l2h" });
    expect(readConfig(query()).config).toMatchObject({ seed: 3, method: "ap2o-l2h" });
  });
});
