// The engine worker's entry: the wire on one side, the engine on the other.
import { EngineDriver } from "./engine.ts";
import type { Command } from "./protocol.ts";

const driver = new EngineDriver((event) => self.postMessage(event));

self.onmessage = ({ data }: MessageEvent<Command>) => void driver.handle(data);
