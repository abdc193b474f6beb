// Puts a session on the page and ties it to the browser: root state for tests, keys, leaving, the URL.

import { effect } from "@preact/signals";
import { render } from "preact";
import { InputError } from "../input_error.ts";
import type { RunEvent } from "../records.ts";
import { RUN_LOCK } from "../worker/protocol.ts";
import { App } from "./app.tsx";
import { filesOfDrop } from "./dropped_files.ts";
import { type KeyAction, keyAction } from "./keys.ts";
import { openFiles } from "./open_files.ts";
import { FIRST_RECORDING } from "./recorded/recordings.ts";
import { Session, SessionProvider, type Surroundings } from "./session.ts";
import { askBeforeLeaving, watchTab } from "./tab_life.ts";
import { readConfig } from "./url_config.ts";
import "uplot/dist/uPlot.min.css";
import "./style/tokens.css";
import "./style/page.css";
import "./style/panels.css";
import "./style/notebook.css";
import "./style/views.css";

/** A run is drawn again at most every so many ms: on a software adapter page and engine share the processor. */
const REDRAW_MS = 80;

/** Its number grows with what tabs tell one another: pages of two versions do not. */
const CHANNEL = "errata run 1";

declare global {
  interface Window {
    /** Every event of the run so far: the log that tests read. */
    errataEvents: RunEvent[];
  }
}

function obeyKey(session: Session, action: KeyAction): void {
  if (typeof action === "object") session.configure(action);
  else if (action === "help") session.helpOpen.value = true;
  else if (action === "step") void session.step();
  else if (action === "toggle") void session.toggle();
  else session.screening.player.value?.skip(action === "on" ? 1 : -1);
}

function listenToKeys(session: Session): void {
  document.addEventListener("keydown", (event) => {
    const action = keyAction(event);
    if (!action || session.openChart.value !== null) return;
    event.preventDefault();
    obeyKey(session, action);
  });
}

async function isTraining(): Promise<boolean> {
  if (!("locks" in navigator)) return false; // plain http on a LAN address: nothing trains there
  const { held } = await navigator.locks.query();
  return held?.some(({ name }) => name === RUN_LOCK) ?? false;
}

async function fetchBytes(path: string): Promise<Uint8Array> {
  const response = await fetch(new URL(path, document.baseURI)).catch(() => null);
  if (!response) throw new InputError(`${path} cannot be reached: check the connection, then try again.`);
  if (!response.ok) throw new InputError(`${path}: the server answered ${response.status}; serve the page's whole folder.`);
  return new Uint8Array(await response.arrayBuffer());
}

/** Files may be dropped anywhere. */
function takeDrops(session: Session): void {
  const root = document.documentElement;
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    root.dataset.drop = "";
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) delete root.dataset.drop;
  });
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    delete root.dataset.drop;
    if (event.dataTransfer) await openFiles(session, await filesOfDrop(event.dataTransfer));
  });
}

/**
 * Builds the page in `#page` and opens the engine.
 * @param engine where the engine and the sandbox come from
 */
export async function mountPage(engine: Pick<Surroundings, "connect" | "openSandbox">): Promise<void> {
  const root = document.getElementById("page");
  if (!root) throw new Error("The page has no element with the id “page”: index.html must have one.");
  const { config, ignored } = readConfig(location.search);
  const session = new Session(
    {
      ...engine,
      nextFrame: (callback) => setTimeout(() => requestAnimationFrame(callback), REDRAW_MS),
      base: document.baseURI,
      fetchBytes,
      nowMs: () => performance.now(),
      channel: new BroadcastChannel(CHANNEL),
      isTraining,
      query: () => location.search,
      setQuery: (query) => history.replaceState(null, "", query + location.hash),
    },
    config,
  );
  if (ignored.length > 0)
    session.notice.value = `The address has settings that are not known here and were left out: ${ignored.join(", ")}.`;
  window.errataEvents = session.board.events;
  effect(() => {
    document.documentElement.dataset.state = session.state.value;
  });
  listenToKeys(session);
  askBeforeLeaving(session);
  takeDrops(session);
  watchTab(session);
  render(
    <SessionProvider value={session}>
      <App />
    </SessionProvider>,
    root,
  );
  const watches = config.lesson === null && (await session.tabs.join());
  if (!watches && !config.autostart && config.lesson === null) await session.playRecording(FIRST_RECORDING);
  await session.open();
  if (session.failure.value?.what === "device" && session.source.value === "none" && config.lesson === null) {
    await session.playRecording(FIRST_RECORDING); // also for who asked for a live start
  }
}
