// The page's end of the wire to the engine worker: commands out with an id, their answers matched by it, events handed on.
import { createSandbox } from "../python/sandbox_page.ts";
import type { Command, Event } from "./protocol.ts";

type Unnumbered<T> = T extends { id: number } ? Omit<T, "id"> : never;
/** A command without its id, which the client gives it. */
export type Request = Unnumbered<Command>;
export type Generated = Extract<Event, { type: "generated" }>;
export type Exported = Extract<Event, { type: "exported" }>;

/** What the client needs of a Worker; tests put another engine here. */
export interface EngineEnd {
  postMessage(command: Command, transfer: Transferable[]): void;
  onmessage: ((message: MessageEvent<Event>) => void) | null;
  onerror: ((error: ErrorEvent) => void) | null;
  terminate(): void;
}

export interface EngineClient {
  /** Sends a command; resolves when the engine has done it, rejects with the engine's sentence when it failed. */
  request(request: Request, transfer?: Transferable[]): Promise<void>;
  generate(request: Omit<Extract<Request, { type: "generate" }>, "type">): Promise<Generated>;
  exportFiles(): Promise<Exported["files"]>;
  close(): void;
}

interface Pending {
  resolve(): void;
  reject(error: Error): void;
  /** Takes an answer that comes before `done`. */
  receive(event: Generated | Exported): void;
}

function takesAnswer(event: Event): event is Generated | Exported {
  return event.type === "generated" || event.type === "exported";
}

/**
 * Connects to an engine.
 * @param onEvent gets everything that is not the answer to a request, `failed` without an id included
 */
export function connectClient(engine: EngineEnd, onEvent: (event: Event) => void): EngineClient {
  const pending = new Map<number, Pending>();
  let nextId = 1;

  const settle = (event: Extract<Event, { type: "done" | "failed" }>) => {
    const waiting = event.id === null ? undefined : pending.get(event.id);
    if (!waiting) return event.type === "failed" ? onEvent(event) : undefined;
    if (event.id !== null) pending.delete(event.id);
    if (event.type === "done") waiting.resolve();
    else waiting.reject(new Error(event.message));
  };
  engine.onmessage = ({ data }) => {
    if (data.type === "done" || data.type === "failed") settle(data);
    else if (takesAnswer(data)) pending.get(data.id)?.receive(data);
    else onEvent(data);
  };
  engine.onerror = (error) => {
    const message = `The engine worker stopped: ${error.message || "its script could not be loaded"}. Reload the page.`;
    for (const waiting of pending.values()) waiting.reject(new Error(message));
    pending.clear();
    onEvent({ type: "failed", id: null, message });
  };

  const send = (request: Request, transfer: Transferable[], receive: Pending["receive"]): Promise<void> =>
    new Promise((resolve, reject) => {
      const id = nextId++;
      pending.set(id, { resolve, reject, receive });
      engine.postMessage({ ...request, id }, transfer);
    });
  const ignore = () => {};

  return {
    request: (request, transfer = []) => send(request, transfer, ignore),
    async generate(request) {
      let generated: Generated | null = null;
      await send({ type: "generate", ...request }, [], (event) => {
        if (event.type === "generated") generated = event;
      });
      if (!generated) throw new Error("The engine sent no text for the prompt. Reload the page.");
      return generated;
    },
    async exportFiles() {
      const files: Exported["files"] = [];
      await send({ type: "export" }, [], (event) => {
        if (event.type === "exported") files.push(...event.files);
      });
      return files;
    },
    close: () => engine.terminate(),
  };
}

/** Starts the engine worker and connects to it. */
export function startEngine(onEvent: (event: Event) => void): EngineClient {
  const worker = new Worker(new URL("./engine.worker.ts", import.meta.url), { type: "module", name: "errata engine" });
  return connectClient(worker, onEvent);
}

/**
 * Creates the sandbox frame in the page.
 * @returns the judge's port, to be handed to the engine by a `sandbox` request
 */
export function openSandbox(page: Document): Promise<MessagePort> {
  return createSandbox(page, page.baseURI);
}
