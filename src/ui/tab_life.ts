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

/** Tells what freezing did to a run, and keeps the screen on while one goes on. */
export function watchTab(session: Session): void {
  let frozenAt: number | null = null;
  document.addEventListener("freeze", () => {
    frozenAt = Date.now(); // the page's own clock may stand still meanwhile
  });
  document.addEventListener("resume", () => {
    const frozenMs = frozenAt === null ? 0 : Date.now() - frozenAt;
    frozenAt = null;
    if (frozenMs >= WORTH_TELLING_MS) session.notice.value = frozenText(frozenMs, session.busy.value);
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
function keepScreenOn(session: Session): void {
  let lock: WakeLockSentinel | null = null;
  const ask = async () => {
    const wanted = session.state.value === "running" && document.visibilityState === "visible";
    if (!wanted) {
      await lock?.release();
      lock = null;
    } else if (lock === null || lock.released) {
      lock = await navigator.wakeLock.request("screen").catch(() => null); // refused on a low battery: the run goes on all the same
    }
  };
  if (!("wakeLock" in navigator)) return;
  effect(() => {
    session.state.value;
    void ask();
  });
  document.addEventListener("visibilitychange", () => void ask());
}
