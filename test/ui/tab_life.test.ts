// A page that is left, hidden, frozen: what it asks and what it says, on a document that is played.
import { computed, signal } from "@preact/signals";
import { afterEach, expect, test, vi } from "vitest";
import type { PageState } from "../../src/ui/session.ts";
import { askBeforeLeaving, watchTab } from "../../src/ui/tab_life.ts";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** A tab in sight; each lock on the screen is held until it is released, or the browser takes it back. */
function tab(state: PageState, answer = Promise.resolve()) {
  const page = Object.assign(new EventTarget(), { visibilityState: "visible" });
  const locks: { released: boolean; release(): Promise<void> }[] = [];
  const request = vi.fn(async () => {
    await answer;
    const lock = { released: false, release: async () => void (lock.released = true) };
    locks.push(lock);
    return lock;
  });
  vi.stubGlobal("document", page);
  vi.stubGlobal("navigator", { wakeLock: { request } });
  const shown = signal<PageState>(state);
  const session = {
    state: shown,
    busy: computed(() => shown.value === "running"),
    notice: signal<string | null>(null),
    board: { restartClock: vi.fn() },
  };
  watchTab(session);
  const show = (visibilityState: string) => {
    page.visibilityState = visibilityState;
    page.dispatchEvent(new Event("visibilitychange"));
  };
  return { page, session, locks, show };
}

const settle = () => new Promise((resolve) => setTimeout(resolve));

test.each([
  [600_000, "running", /^The browser froze this tab for 10 min.* The run stood still and goes on from where it was/],
  [600_000, "ready", /^The browser froze this tab for 10 min[^.]*\.$/],
  [2000, "running", null],
] as const)("frozen for %s ms, %s", (ms, state, words) => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const { page, session } = tab(state);
  page.dispatchEvent(new Event("freeze"));
  vi.setSystemTime(Date.now() + ms);
  page.dispatchEvent(new Event("resume"));
  if (words) expect(session.notice.value).toMatch(words);
  else expect(session.notice.value).toBeNull();
  expect(session.board.restartClock).toHaveBeenCalledTimes(words ? 1 : 0);
});

test("the screen is kept on while a run goes on in sight, and again after the tab was hidden", async () => {
  const { session, locks, show } = tab("ready");
  await settle();
  expect(locks).toEqual([]);
  session.state.value = "running";
  await settle();
  expect(locks.map(({ released }) => released)).toEqual([false]);
  locks[0]!.released = true; // the browser takes it back
  show("hidden");
  await settle();
  show("visible");
  await settle();
  expect(locks.map(({ released }) => released)).toEqual([true, false]);
  session.state.value = "finished";
  await settle();
  expect(locks.map(({ released }) => released)).toEqual([true, true]);
});

test("a run that ends while the screen is asked for leaves no lock on it", async () => {
  let grant = () => {};
  const { session, locks } = tab("running", new Promise((resolve) => (grant = resolve)));
  session.state.value = "finished";
  await settle();
  grant();
  await settle();
  expect(locks.map(({ released }) => released)).toEqual([true]);
});

test("a tab asks before it is left as long as it holds work", () => {
  const page = new EventTarget();
  vi.stubGlobal("window", page);
  const holdsWork = signal(false);
  askBeforeLeaving({ holdsWork });
  const leave = () => !page.dispatchEvent(new Event("beforeunload", { cancelable: true }));
  expect(leave()).toBe(false);
  holdsWork.value = true;
  expect(leave()).toBe(true);
});
