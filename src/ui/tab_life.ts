// What happens to a page that is not looked at: browsers slow hidden tabs down, and may freeze them after minutes.
import { effect } from "@preact/signals";
import { durationText } from "./number_text.ts";
import type { Session } from "./session.ts";

/** A gap this long in a tab's life is worth telling. */
const WORTH_TELLING_MS = 5000;

/** What to say after a freeze. */
export function frozenText(frozenMs: number, busy: boolean): string {
  const gap = `The browser froze this tab for ${durationText(frozenMs / 1000)}`;
  return busy ? `${gap}. The run stood still and goes on from where it was; keep the tab in sight to avoid it.` : `${gap}.`;
}

type WatchedSession = Pick<Session, "state" | "busy" | "notice"> & { board: Pick<Session["board"], "restartClock"> };

/** Tells what freezing did to a run, and keeps the screen on while one goes on. */
export function watchTab(session: WatchedSession): void {
  let frozenAt: number | null = null;
  document.addEventListener("freeze", () => {
    frozenAt = Date.now(); // the page's own clock may stand still meanwhile
  });
  document.addEventListener("resume", () => {
    const frozenMs = frozenAt === null ? 0 : Date.now() - frozenAt;
    frozenAt = null;
    if (frozenMs < WORTH_TELLING_MS) return;
    session.notice.value = frozenText(frozenMs, session.busy.value);
    session.board.restartClock(); // rates are of the time that it ran
  });
  keepScreenOn(session);
}

/** Asks before a tab is closed or reloaded that would lose something. */
export function askBeforeLeaving(session: Pick<Session, "holdsWork">): void {
  window.addEventListener("beforeunload", (event) => {
    if (session.holdsWork.value) event.preventDefault();
  });
}

/** A laptop that dims in the middle of a run stops it. Browsers take the lock back when the tab is hidden. */
function keepScreenOn(session: Pick<Session, "state">): void {
  let lock: WakeLockSentinel | null = null;
  const isWanted = () => session.state.value === "running" && document.visibilityState === "visible";
  const ask = async () => {
    if (!isWanted()) {
      await lock?.release();
      lock = null;
    } else if (lock === null || lock.released) {
      lock = await navigator.wakeLock.request("screen").catch(() => null); // refused on a low battery: the run goes on all the same
      if (!isWanted()) await ask(); // the run ended meanwhile
    }
  };
  if (!("wakeLock" in navigator)) return;
  effect(() => {
    session.state.value;
    void ask();
  });
  document.addEventListener("visibilitychange", () => void ask());
}
