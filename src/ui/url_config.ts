// The run's settings and what is looked at, as the URL carries them: what is shown can be sent to someone else.
import type { RunRequest } from "../worker/protocol.ts";
import { LESSONS, type LessonName } from "./lesson/lessons.ts";
import { RECORDINGS } from "./recorded/recordings.ts";
import { VIEWS, type View } from "./views.ts";

export type Preset = RunRequest["preset"];

export interface PageConfig {
  preset: Preset;
  method: string;
  seed: number;
  /** Start without a click, for tests and kiosks. */
  autostart: boolean;
  view: View;
  lesson: LessonName | null;
  /** Recorded runs under comparison, by their ids. */
  compare: readonly string[];
  /** Which adapter to ask the browser for, on machines that have two. */
  power: "high-performance" | "low-power";
  /** More settings of the run, "NAME=VALUE, ..." by their names in run.json; "" for none. */
  set: string;
  /** "A, B": only these problems; "" for all. */
  taskIds: string;
  /** A model to be offered: a hub id or an address; "" for none. */
  model: string;
  /** Address of the hub that it is on; "" for the public one. */
  hub: string;
}

export const PRESETS: readonly { value: Preset; label: string }[] = [
  { value: "smoke", label: "Quick look" },
  { value: "demo", label: "Demo" },
  { value: "paper", label: "As in the paper" },
];

export const METHODS: readonly { value: string; label: string; group: string }[] = [
  { value: "ap2o-h2l", label: "Frequent errors first (H2L)", group: "AP2O" },
  { value: "ap2o-l2h", label: "Rare errors first (L2H)", group: "AP2O" },
  { value: "ap2o-h2l-noreplay", label: "H2L without replay", group: "AP2O" },
  { value: "ap2o-l2h-noreplay", label: "L2H without replay", group: "AP2O" },
  { value: "dyn-dpo", label: "Random pairs (Dyn-DPO)", group: "To compare with" },
  { value: "dpo", label: "All pairs, shuffled (DPO)", group: "To compare with" },
  { value: "curri-dpo", label: "All pairs, rare errors first (Curri-DPO)", group: "To compare with" },
  { value: "sft", label: "Right answers only (SFT)", group: "To compare with" },
  { value: "iterpref", label: "Repaired answers, focal loss (IterPref)", group: "To compare with" },
];

const DEFAULTS: PageConfig = {
  preset: "demo",
  method: "ap2o-h2l",
  seed: 1,
  autostart: false,
  view: "run",
  lesson: null,
  compare: [],
  power: "high-performance",
  set: "",
  taskIds: "",
  model: "",
  hub: "",
};

/**
 * Reads the settings from a URL's query; a value that makes no sense is left at its default and named in `ignored`.
 * @param search `location.search`
 */
export function readConfig(search: string): { config: PageConfig; ignored: string[] } {
  const parameters = new URLSearchParams(search);
  const config = { ...DEFAULTS, autostart: parameters.get("autostart") === "1" };
  const ignored: string[] = [];
  const preset = parameters.get("preset");
  const knownPreset = PRESETS.find((entry) => entry.value === preset);
  if (knownPreset) config.preset = knownPreset.value;
  else if (preset !== null) ignored.push(`preset=${preset}`);
  const method = parameters.get("method");
  if (METHODS.some((entry) => entry.value === method)) config.method = method ?? DEFAULTS.method;
  else if (method !== null) ignored.push(`method=${method}`);
  const seed = parameters.get("seed");
  if (seed !== null && isSeed(seed)) config.seed = Number(seed);
  else if (seed !== null) ignored.push(`seed=${seed}`);
  if (parameters.get("power") === "low") config.power = "low-power";
  else if (parameters.has("power")) ignored.push(`power=${parameters.get("power")}`);
  const view = VIEWS.find(({ value }) => value === parameters.get("view"));
  if (view) config.view = view.value;
  else if (parameters.has("view")) ignored.push(`view=${parameters.get("view")}`);
  const lesson = LESSONS.find(({ name }) => name === parameters.get("lesson"));
  if (lesson) config.lesson = lesson.name;
  else if (parameters.has("lesson")) ignored.push(`lesson=${parameters.get("lesson")}`);
  const wanted =
    parameters
      .get("compare")
      ?.split(",")
      .filter((id) => id !== "") ?? [];
  config.compare = wanted.filter((id) => RECORDINGS.some((recording) => recording.id === id));
  ignored.push(...wanted.filter((id) => !config.compare.includes(id)).map((id) => `compare=${id}`));
  config.set = parameters.get("set") ?? "";
  config.taskIds = parameters.get("task-ids") ?? "";
  const model = parameters.get("model") ?? "";
  if (isHubId(model) || isAddress(model)) config.model = model;
  else if (model !== "") ignored.push(`model=${model}`);
  const hub = parameters.get("hub") ?? "";
  if (isAddress(hub)) config.hub = hub;
  else if (hub !== "") ignored.push(`hub=${hub}`);
  return { config, ignored };
}

/** "owner/name", with a revision and a GGUF file in it, if need be: what src/storage/hub.ts takes. */
function isHubId(text: string): boolean {
  return text.length < 200 && /^[\w.-]+\/[\w.-]+(@[\w./-]+)?(\/.+\.gguf)?$/i.test(text);
}

function isAddress(text: string): boolean {
  return /^https?:\/\//.test(text) && URL.canParse(text);
}

/** The preset of that name; a run's own settings count where there is none, so any will do to name it. */
export function readPreset(name: string): Preset {
  return PRESETS.find(({ value }) => value === name)?.value ?? "demo";
}

/** Whether text is a seed: a whole number from 0 to 2^31 - 1. */
export function isSeed(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) < 2 ** 31;
}

/** The query that brings these settings back; parameters that are not ours stay. */
export function writeConfig(config: PageConfig, search: string): string {
  const parameters = new URLSearchParams(search);
  parameters.set("preset", config.preset);
  parameters.set("method", config.method);
  parameters.set("seed", String(config.seed));
  setOrDelete(parameters, "view", config.view === "run" ? "" : config.view);
  setOrDelete(parameters, "lesson", config.lesson ?? "");
  setOrDelete(parameters, "power", config.power === "low-power" ? "low" : "");
  setOrDelete(parameters, "compare", config.compare.join(","));
  setOrDelete(parameters, "set", config.set);
  setOrDelete(parameters, "task-ids", config.taskIds);
  setOrDelete(parameters, "model", config.model);
  setOrDelete(parameters, "hub", config.hub);
  return `?${parameters}`;
}

function setOrDelete(parameters: URLSearchParams, name: string, value: string): void {
  if (value === "") parameters.delete(name);
  else parameters.set(name, value);
}
