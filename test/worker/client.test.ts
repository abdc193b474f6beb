import { describe, expect, test, vi } from "vitest";
import { connectClient, type EngineEnd } from "../../src/worker/client.ts";
import type { Command, Event } from "../../src/worker/protocol.ts";

function wire() {
  const sent: Command[] = [];
  const engine: EngineEnd = { onmessage: null, onerror: null, postMessage: (command) => void sent.push(command), terminate: vi.fn() };
  const onEvent = vi.fn();
  const client = connectClient(engine, onEvent);
  const answer = (event: Event) => engine.onmessage?.(new MessageEvent("message", { data: event }));
  return { sent, engine, onEvent, client, answer };
}

describe("the engine's client", () => {
  test("matches answers to requests by their ids, in any order", async () => {
    const { client, sent, answer } = wire();
    const first = client.request({ type: "pause" });
    const second = client.request({ type: "resume" });
    expect(sent.map(({ type }) => type)).toEqual(["pause", "resume"]);
    answer({ type: "failed", id: sent[1]!.id, message: "No run is under way." });
    answer({ type: "done", id: sent[0]!.id });
    await expect(first).resolves.toBeUndefined();
    await expect(second).rejects.toThrow("No run is under way.");
  });

  test("collects exported files until the request is done", async () => {
    const { client, sent, answer } = wire();
    const files = client.exportFiles();
    const file = { path: "run.json", bytes: new Uint8Array(1) };
    answer({ type: "exported", id: sent[0]!.id, files: [file] });
    answer({ type: "done", id: sent[0]!.id });
    expect(await files).toEqual([file]);
  });

  test("hands on what answers no request", () => {
    const { onEvent, answer } = wire();
    answer({ type: "state", state: "running" });
    answer({ type: "failed", id: null, message: "The GPU was lost." });
    expect(onEvent.mock.calls.map(([event]) => event.type)).toEqual(["state", "failed"]);
  });

  test("fails all that is under way when the worker dies", async () => {
    const { client, engine, onEvent } = wire();
    const waiting = client.request({ type: "pause" });
    engine.onerror?.({ message: "boom" } as ErrorEvent);
    await expect(waiting).rejects.toThrow(/boom/);
    expect(onEvent).toHaveBeenCalledWith(expect.objectContaining({ type: "failed", id: null }));
  });
});
