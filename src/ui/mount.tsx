// Puts a session on the page and ties it to the browser: root state for tests, keys, leaving, the URL.
import { effect } from "@preact/signals";
import { render } from "preact";
import type { RunEvent } from "../records.ts";
import { App } from "./app.tsx";
import { keyAction } from "./keys.ts";
import { Session, SessionProvider, type Surroundings } from "./session.ts";
import { readConfig } from "./url_config.ts";
import "uplot/dist/uPlot.min.css";
import "./style/tokens.css";
import "./style/page.css";
import "./style/panels.css";
import "./style/notebook.css";

/** A run is drawn again at most every so many ms: on a software adapter page and engine share the processor. */
const REDRAW_MS = 80;

declare global {
  interface Window {
    /** Every event of the run so far: the log that tests read. */
    errataEvents: RunEvent[];
  }
}

function listenToKeys(session: Session): void {
  document.addEventListener("keydown", (event) => {
    const action = keyAction(event);
    if (!action) return;
    event.preventDefault();
    if (action === "help") session.helpOpen.value = true;
    else if (action === "step") void session.step();
    else void session.toggle();
  });
}

function askBeforeLeaving(session: Session): void {
  window.addEventListener("beforeunload", (event) => {
    if (session.busy.value) event.preventDefault();
  });
}

/**
 * Builds the page in `#page` and opens the engine.
 * @param engine where the engine and the sandbox come from
 */
export function mountPage(engine: Pick<Surroundings, "connect" | "openSandbox">): void {
  const root = document.getElementById("page");
  if (!root) throw new Error("The page has no element with the id “page”: index.html must have one.");
  const { config, ignored } = readConfig(location.search);
  const session = new Session(
    {
      ...engine,
      nextFrame: (callback) => setTimeout(() => requestAnimationFrame(callback), REDRAW_MS),
      base: document.baseURI,
      nowMs: () => performance.now(),
      query: () => location.search,
      setQuery: (query) => history.replaceState(null, "", query + location.hash),
    },
    config,
  );
  if (ignored.length > 0)
    session.notice.value = `The address has settings that are not known here and were left out: ${ignored.join(", ")}.`;
  window.errataEvents = session.events;
  effect(() => {
    document.documentElement.dataset.state = session.state.value;
  });
  listenToKeys(session);
  askBeforeLeaving(session);
  render(
    <SessionProvider value={session}>
      <App />
    </SessionProvider>,
    root,
  );
  void session.open();
}
