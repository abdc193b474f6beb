// A page that is left, hidden, frozen: what it asks and what it says, on a document that is played.
import { signal } from "@preact/signals";
import { afterEach, expect, test, vi } from "vitest";
import { askBeforeLeaving } from "../../src/ui/tab_life.ts";

afterEach(() => vi.unstubAllGlobals());

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
