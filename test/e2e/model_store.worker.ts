// The browser's store of models in a worker, as the engine has it; answers each message with what it found.
import { openBrowserModels } from "../../src/storage/browser_models.ts";

export interface Request {
  task: "load" | "list" | "remove";
  id: string;
  hub: string;
  /** Cancels after so many bytes. */
  cancelAt?: number;
  /** As in a private window: the browser gives no private file system. */
  closed?: boolean;
}

export interface Answer {
  /** SHA-256 of each file, as hex. */
  files?: Record<string, string>;
  models?: { id: string; complete: boolean; bytes: number }[];
  error?: string;
  notices: string[];
}

async function perform(
  { task, id, hub, cancelAt = Number.POSITIVE_INFINITY, closed }: Request,
  notices: string[],
): Promise<Omit<Answer, "notices">> {
  if (closed) navigator.storage.getDirectory = () => Promise.reject(new DOMException("not here", "SecurityError"));
  const store = await openBrowserModels((sentence) => notices.push(sentence));
  if (task === "list") return { models: await store.list() };
  if (task === "remove") await store.remove(id);
  if (task === "remove") return {};
  const controller = new AbortController();
  const files = await store.load(id, {
    hub,
    retryPauseMs: 10,
    signal: controller.signal,
    onNotice: (sentence) => notices.push(sentence),
    onProgress: ({ done }) => done >= cancelAt && controller.abort(new Error("cancelled")),
  });
  const hashes: Record<string, string> = {};
  for (const path of ["config.json", "model.safetensors"]) {
    const source = await files.open(path);
    if (!source) continue;
    const digest = await crypto.subtle.digest("SHA-256", new Uint8Array(await source.slice(0, source.size)));
    hashes[path] = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }
  return { files: hashes };
}

self.addEventListener("message", async ({ data }: MessageEvent<Request>) => {
  const notices: string[] = [];
  const answer = await perform(data, notices).catch((error: unknown) => ({
    error: error instanceof Error ? error.message : String(error),
  }));
  self.postMessage({ ...answer, notices } satisfies Answer);
});
