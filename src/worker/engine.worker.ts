// The engine worker's entry: the wire on one side, the engine on the other.

import type { Counters } from "../gpu/gpu.ts";
import { EngineDriver } from "./engine.ts";
import type { Command } from "./protocol.ts";

declare global {
  /** What the GPU holds and has done; null while none is open. For those who watch what grows. */
  var errataCounters: () => Counters | null;
}

const driver = new EngineDriver((event) => self.postMessage(event));
globalThis.errataCounters = () => driver.counters;

self.onmessage = ({ data }: MessageEvent<Command>) => void driver.handle(data);
