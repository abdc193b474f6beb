// The page's end of the wire to the engine worker: commands out with an id, their answers matched by it, events handed on.
import { createSandbox } from "../python/sandbox_page.ts";
import type { Command, Event, MeasuredRates, Score } from "./protocol.ts";

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
  /** Log-probabilities of a completion with an adapter, or (null) with the base model. */
  score(request: Omit<Extract<Request, { type: "score" }>, "type">): Promise<Score>;
  measure(): Promise<MeasuredRates>;
  /** The files of a kept run; without its id those of the run that is shown. */
  exportFiles(run?: string): Promise<Exported["files"]>;
  close(): void;
}

interface Pending {
  resolve(): void;
  reject(error: Error): void;
  /** Takes an answer that comes before `done`. */
  receive(event: ResultEvent): void;
}

/** What is sent before `done`, to the request alone. */
export type ResultEvent = Extract<Event, { type: "generated" | "exported" | "scored" | "measured" }>;

/** Whether an event is the result of one request. */
export function isResult(event: Event): event is ResultEvent {
  return event.type === "generated" || event.type === "exported" || event.type === "scored" || event.type === "measured";
}

function hasType<T extends ResultEvent["type"]>(event: ResultEvent, type: T): event is Extract<ResultEvent, { type: T }> {
  return event.type === type;
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
    else if (isResult(data)) pending.get(data.id)?.receive(data);
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
  /** Sends a request that has one result, and gives that. */
  const ask = async <T extends ResultEvent["type"]>(type: T, request: Request): Promise<Extract<ResultEvent, { type: T }>> => {
    let result: Extract<ResultEvent, { type: T }> | null = null;
    await send(request, [], (event) => {
      if (hasType(event, type)) result = event;
    });
    if (!result) throw new Error(`The engine answered the request ${request.type} with nothing. Reload the page.`);
    return result;
  };

  return {
    request: (request, transfer = []) => send(request, transfer, ignore),
    generate: (request) => ask("generated", { type: "generate", ...request }),
    score: async (request) => (await ask("scored", { type: "score", ...request })).score,
    measure: async () => (await ask("measured", { type: "measure" })).rates,
    exportFiles: async (run) => (await ask("exported", { type: "export", run: run ?? null })).files,
    close: () => engine.terminate(),
  };
}

/** Starts the engine worker and connects to it. */
export function startEngine(onEvent: (event: Event) => void): EngineClient {
  const worker = new Worker(new URL("./engine.worker.ts", import.meta.url), { type: "module", name: "errata engine" });
  return connectClient(worker, onEvent);
}

/**
 * Creates the sandbox frame in the page, in place of one that is there.
 * @returns the judge's port, to be handed to the engine by a `sandbox` request
 */
export function openSandbox(page: Document): Promise<MessagePort> {
  for (const frame of page.querySelectorAll('iframe[title="Python sandbox"]')) frame.remove();
  return createSandbox(page, page.baseURI);
}
