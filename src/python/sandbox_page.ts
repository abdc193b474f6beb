// Page side of the sandbox: makes the opaque frame, posts Pyodide's files into it, and gives out the port on which it is spoken to.
import { type Open, PYODIDE_FILES, type PyodideFile } from "./sandbox_protocol.ts";

export interface SandboxOptions {
  /** Interpreters that run answers. Default: the machine's cores, at most 4. */
  readonly workers?: number;
  /** A snapshot from SandboxJudge.ready() of a sandbox with the same files: it starts in a fraction of the time. */
  readonly snapshot?: ArrayBuffer | null;
  /** Ask for a snapshot where none was given. */
  readonly giveSnapshot?: boolean;
}

/**
 * Makes the sandbox frame at the end of the page's body.
 * @param page the page's document
 * @param assetsBase URL of the folder that holds sandbox/ (the page's own folder)
 * @returns the port for a SandboxJudge, to be used here or transferred to the engine's worker
 * @throws Error when a file of the sandbox cannot be loaded
 */
export async function createSandbox(page: Document, assetsBase: string | URL, options: SandboxOptions = {}): Promise<MessagePort> {
  const place = (name: string) => new URL(`sandbox/${name}`, assetsBase);
  const [frame, files] = await Promise.all([openFrame(page, place("frame.html")), loadFiles(place)]);
  const { port1, port2 } = new MessageChannel();
  const workers = options.workers ?? Math.min(navigator.hardwareConcurrency || 2, 4);
  const { snapshot = null, giveSnapshot = false } = options;
  const message: Open = { type: "open", files, snapshot, giveSnapshot, workers };
  // The frame's origin is opaque and cannot be named: "*" is the only target that reaches it.
  frame.postMessage(message, "*", [port2, ...Object.values(files)]);
  return port1;
}

function openFrame(page: Document, url: URL): Promise<Window> {
  const frame = page.createElement("iframe");
  frame.setAttribute("sandbox", "allow-scripts");
  // In sight, if only by a pixel: Chromium lowers the priority of a process whose frames are all hidden, and on a busy machine
  // the interpreters would starve.
  Object.assign(frame.style, { position: "fixed", right: "0", bottom: "0", width: "1px", height: "1px", border: "0", opacity: "0" });
  frame.tabIndex = -1;
  frame.ariaHidden = "true";
  frame.title = "Python sandbox";
  frame.src = url.href;
  return new Promise((resolve, reject) => {
    frame.onload = () => (frame.contentWindow ? resolve(frame.contentWindow) : reject(new Error("The sandbox frame did not open.")));
    page.body.append(frame);
  });
}

/** From the server; where that cannot be reached, from the browser's cache, if it is there. */
async function fetchEvenOffline(url: URL): Promise<Response> {
  const known = () => fetch(url, { cache: "force-cache" });
  const response = await fetch(url).catch(() => known().catch(() => null));
  if (!response) throw new Error(`${url.pathname} cannot be reached: check the connection, then try again.`);
  return response;
}

async function loadFiles(place: (name: string) => URL): Promise<Record<PyodideFile, ArrayBuffer>> {
  const load = async (name: PyodideFile): Promise<ArrayBuffer> => {
    const response = await fetchEvenOffline(place(name));
    if (!response.ok)
      throw new Error(`${place(name).pathname} could not be loaded (${response.status}): build or serve the page with its sandbox folder.`);
    return response.arrayBuffer();
  };
  const [loader, glue, wasm, stdlib, lock] = await Promise.all(PYODIDE_FILES.map(load));
  if (!loader || !glue || !wasm || !stdlib || !lock) throw new Error("A file of the sandbox is missing.");
  return {
    "pyodide.mjs": loader,
    "pyodide.asm.mjs": glue,
    "pyodide.asm.wasm": wasm,
    "python_stdlib.zip": stdlib,
    "pyodide-lock.json": lock,
  };
}
