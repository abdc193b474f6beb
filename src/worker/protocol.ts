// Everything that crosses between the page and the engine worker: plain, structured-cloneable data only.
import type { RunEvent } from "../records.ts";

/** The lock that the tab holds which trains. */
export const RUN_LOCK = "errata run";

export interface RunRequest {
  preset: "smoke" | "demo" | "paper";
  method: string;
  seed: number;
  /** Options that override the preset's numbers, by their run.json config names. */
  overrides: Record<string, number | string | boolean>;
  /** The same as someone wrote them, "NAME=VALUE, ..."; they go before. */
  settings?: string;
  /** "A, B": only these problems, by their task ids; "" for all. */
  taskIds?: string;
  /** Id of the adapter to train on; null begins with a new one. */
  from: string | null;
}

/**
 * Where a model's files are: with the page, on this machine, or on a hub or below an address (`name`). `token` opens gated models: it is sent
 * to the hub alone, and kept nowhere.
 */
export type ModelSource =
  | { kind: "embedded" }
  | { kind: "files"; name: string; files: File[] }
  | { kind: "remote"; name: string; hub: string; token: string | null };

/** raw: the problem as it stands. ap2o: the paper's text. chat: the model's chat template. fence: that, with the answer's first line given. */
export type PromptStyle = "raw" | "ap2o" | "chat" | "fence";

export type ModelDtype = "f32" | "f16" | "int8" | "int4";

/** A model that was downloaded. */
export interface StoredModel {
  id: string;
  bytes: number;
  complete: boolean;
}

/** An adapter that the engine keeps beside the model. */
export interface KeptAdapter {
  id: string;
  name: string;
  r: number;
  parameters: number;
}

/** A run that the browser keeps. */
export interface KeptRun {
  id: string;
  /** When it was begun, as an ISO date; "" where that cannot be read. */
  started: string;
  method: string;
  preset: string;
  seed: number;
  /** Optimiser steps taken. */
  steps: number;
  finished: boolean;
  bytes: number;
}

/** Log-probabilities of a text after a prompt, token by token. */
export interface Score {
  tokens: { text: string; logp: number }[];
  total: number;
}

/** How fast the adapter is. */
export interface MeasuredRates {
  /** Of multiply-adds from registers alone: the most that any product could reach. */
  gflops: number;
  copyGbps: number;
  dispatchMicroseconds: number;
  /** Products of the loaded model's shapes. */
  products: { name: string; shape: string; tile: string; gflops: number }[];
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
  | { type: "open"; base: string; power: "high-performance" | "low-power" }
  | { type: "load"; source: ModelSource; dtype: ModelDtype } // another model on the same device; answers with progress and a model event
  | { type: "cancelLoad" } // breaks a download off; what is there by then is kept for the next try
  | { type: "models" } // answers with a models event
  | { type: "removeModel"; model: string } // of those that are stored; answers with a models event
  | { type: "problems"; file: File | null } // null: the embedded ones; answers with a problems event
  | { type: "addAdapter"; name: string; files: { path: string; bytes: Uint8Array }[] } // a PEFT folder's; answers with an adapters event
  | { type: "removeAdapter"; adapter: string }
  | { type: "score"; prompt: string; completion: string; adapter: string | null } // answers with a scored event
  | { type: "measure" } // answers with a measured event
  | { type: "sandbox"; port: MessagePort } // the judge's port, transferred once after "open", and whenever the engine wants another
  | { type: "start"; run: RunRequest } // done when the run has finished or was stopped
  | { type: "pause" }
  | { type: "resume" }
  | { type: "step" } // while paused: go on to the end of the next optimiser step, then pause again
  | { type: "stop" } // stop and keep what was trained
  | { type: "generate"; prompt: string; adapter: string | null; temperature: number; maxNewTokens: number; seed: number }
  | { type: "export"; run: string | null } // answers with an "exported" event: files of a kept run, or (null) of the one that is shown
  | { type: "runs" } // answers with a runs event
  | { type: "goOn"; run: string } // like start, with a kept run that is not finished
  | { type: "deleteRun"; run: string } // answers with a runs event
);

/** Engine to page. */
export type Event =
  | { type: "done"; id: number }
  | { type: "failed"; id: number | null; message: string }
  | { type: "device"; device: DeviceInfo }
  | { type: "model"; model: ModelInfo }
  | { type: "progress"; label: string; done: number; total: number }
  | { type: "state"; state: "idle" | "running" | "paused" | "finished" }
  /** Log-probabilities that were computed after loading, against stored ones: the largest difference. */
  | { type: "checked"; tokens: number; largest: number; trusted: boolean }
  | { type: "problems"; name: string; train: number; validation: number; evaluation: number }
  /** Bytes by purpose for a model that is about to be loaded, with the embedded lesson's training. */
  | { type: "planned"; plan: Record<string, number> }
  | { type: "models"; models: StoredModel[] }
  /** The sandbox frame no longer answers: another is to be made, and its port sent. */
  | { type: "sandboxWanted" }
  /** A sentence worth telling that stops nothing. */
  | { type: "notice"; message: string }
  /** Whether the browser keeps all of the run that is shown; it does unless this says otherwise. */
  | { type: "kept"; kept: boolean }
  | { type: "adapters"; adapters: KeptAdapter[] }
  | { type: "runs"; runs: KeptRun[] }
  | { type: "scored"; id: number; score: Score }
  | { type: "measured"; id: number; rates: MeasuredRates }
  | { type: "generated"; id: number; text: string; ended: string }
  | { type: "exported"; id: number; files: { path: string; bytes: Uint8Array }[] }
  | RunEvent;
