// Everything that crosses between the page and the engine worker: plain, structured-cloneable data only.
import type { RunEvent } from "../records.ts";

export interface RunRequest {
  preset: "smoke" | "demo" | "paper";
  method: string;
  seed: number;
  /** Options that override the preset's numbers, by their run.json config names. */
  overrides: Record<string, number | string | boolean>;
}

export interface DeviceInfo {
  vendor: string;
  architecture: string;
  description: string;
  /** Adapter limits worth showing, by their WebGPU names. */
  limits: Record<string, number>;
  features: string[];
}

export interface ModelInfo {
  id: string;
  parameters: number;
  dtype: string;
  vocabularySize: number;
  layers: number;
  contextLength: number;
}

/** Page to engine. Every request has an id; the engine answers it with `done` or `failed`. */
export type Command = {
  id: number;
} /** Opens the device and loads the embedded model; answers with device and model events before done. `base`: the page's folder. */ & (
  | { type: "open"; base: string }
  | { type: "sandbox"; port: MessagePort } // the judge's port, transferred once after "open"
  | { type: "start"; run: RunRequest } // done when the run has finished or was stopped
  | { type: "pause" }
  | { type: "resume" }
  | { type: "step" } // while paused: go on to the end of the next optimiser step, then pause again
  | { type: "stop" } // stop and keep what was trained
  | { type: "generate"; prompt: string; adapter: boolean; temperature: number; maxNewTokens: number; seed: number }
  | { type: "export" } // answers with an "exported" event: the run's files
);

/** Engine to page. */
export type Event =
  | { type: "done"; id: number }
  | { type: "failed"; id: number | null; message: string }
  | { type: "device"; device: DeviceInfo }
  | { type: "model"; model: ModelInfo }
  | { type: "progress"; label: string; done: number; total: number }
  | { type: "state"; state: "idle" | "running" | "paused" | "finished" }
  | { type: "generated"; id: number; text: string; ended: string }
  | { type: "exported"; id: number; files: { path: string; bytes: Uint8Array }[] }
  | RunEvent;
