// The page's state and what its controls do. The engine computes; here is only what is shown and what was asked for.
import { batch, computed, type Signal, signal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Phase, Preference, RunEvent } from "../records.ts";
import type { EngineClient } from "../worker/client.ts";
import type { DeviceInfo, Event, ModelInfo } from "../worker/protocol.ts";
import { applyEvent, type ErrorComparison, emptyRun, type RunState, restartClock, stationOf } from "./run_state.ts";
import { type PageConfig, writeConfig } from "./url_config.ts";
import { isSoftwareAdapter } from "./webgpu_help.ts";

/** As `data-state` on the root element. */
export type PageState = "loading" | "ready" | "running" | "paused" | "finished" | "failed";

export interface Failure {
  /** What could not be done: open a GPU, load the model, or run. */
  what: "device" | "model" | "run";
  message: string;
}

/** What the notebook is opened at; null means "the first that fits". */
export interface Selection {
  phase: Phase;
  errorType: string | null;
  taskId: string | null;
  sampleIndex: number | null;
}

/** The outside world of a session, so that tests can play it. */
export interface Surroundings {
  connect(onEvent: (event: Event) => void): EngineClient;
  /** Creates the sandbox frame and gives the judge's port. */
  openSandbox(): Promise<MessagePort>;
  /** Calls back once, before the next picture is drawn. */
  nextFrame(callback: () => void): void;
  nowMs(): number;
  /** Address of the page's folder. */
  base: string;
  setQuery(query: string): void;
  query(): string;
}

const FOLLOW_EVERY_MS = 2500;

const STATION_NAMES = {
  before: "Evaluation before training",
  exam: "Exam",
  analysis: "Analysis",
  correction: "Correction",
  quiz: "Quiz",
  after: "Evaluation after training",
};

export class Session {
  readonly state = signal<PageState>("loading");
  readonly loading: Signal<{ label: string; done: number; total: number } | null> = signal(null);
  readonly device: Signal<DeviceInfo | null> = signal(null);
  readonly model: Signal<ModelInfo | null> = signal(null);
  readonly failure: Signal<Failure | null> = signal(null);
  readonly config: Signal<PageConfig>;
  /** Settings of the run that is shown; the controls may already say something else. */
  readonly shown: Signal<PageConfig>;
  /** One sentence in place for something that did not work but stops nothing. */
  readonly notice: Signal<string | null> = signal(null);
  readonly selection = signal<Selection>({ phase: "exam", errorType: null, taskId: null, sampleIndex: null });
  /** Which comparison the error bars show; null follows the run. */
  readonly comparison: Signal<ErrorComparison["source"] | null> = signal(null);
  /** The notebook opens the pairs as they are trained, until something is picked in it. */
  readonly following = signal(true);
  readonly helpOpen = signal(false);
  /** Read aloud by screen readers. */
  readonly announcement = signal("");
  readonly busy = computed(() => this.state.value === "running" || this.state.value === "paused");
  /** Grows when `run` has changed; read it where `run` is drawn. */
  readonly revision = signal(0);
  /** All events of the run, in order. */
  readonly events: RunEvent[] = [];
  private current: RunState = emptyRun();
  private readonly surroundings: Surroundings;
  private readonly engine: EngineClient;
  private sandbox: Promise<void> | null = null;
  private frameAsked = false;
  private followedMs = Number.NEGATIVE_INFINITY;

  constructor(surroundings: Surroundings, config: PageConfig) {
    this.surroundings = surroundings;
    this.config = signal(config);
    this.shown = signal(config);
    this.engine = surroundings.connect((event) => this.receive(event));
  }

  /** The run, watched: a component that reads it is drawn again when it changes. */
  get run(): RunState {
    this.revision.value;
    return this.current;
  }

  /** Opens the device and loads the embedded model; starts the run at once where the URL asks for it. */
  async open(): Promise<void> {
    try {
      await this.engine.request({ type: "open", base: this.surroundings.base });
    } catch (error) {
      return this.fail(this.device.value ? "model" : "device", error);
    }
    this.loading.value = null;
    this.takeTheQuickLook();
    this.state.value = "ready";
    this.announcement.value = "Ready. Press Start.";
    if (this.config.value.autostart) await this.start();
  }

  /** Without a GPU the demo's exam alone takes minutes: who asked for no size sees the loop turn at once. */
  private takeTheQuickLook(): void {
    const asked = new URLSearchParams(this.surroundings.query()).has("preset");
    const device = this.device.value;
    if (!asked && device && isSoftwareAdapter(device)) this.config.value = { ...this.config.value, preset: "smoke" };
  }

  /** Starts a new run; what an earlier one showed is cleared. */
  async start(): Promise<void> {
    if (!["ready", "finished", "failed"].includes(this.state.value) || !this.model.value) return;
    this.clear();
    const { preset, method, seed } = this.config.value;
    try {
      await this.giveSandbox();
      await this.engine.request({ type: "start", run: { preset, method, seed, overrides: {} } });
      if (this.busy.value) this.finish();
    } catch (error) {
      this.fail("run", error);
    }
  }

  /** Start, pause or resume: whatever the one big button means now. */
  async toggle(): Promise<void> {
    if (this.state.value === "running") return this.command("pause");
    if (this.state.value === "paused") return this.command("resume");
    return this.start();
  }

  /** To the end of the next optimiser step. */
  step(): Promise<void> {
    return this.state.value === "paused" ? this.command("step") : Promise.resolve();
  }

  /** Ends the run and keeps what was trained. */
  stop(): Promise<void> {
    return this.busy.value ? this.command("stop") : Promise.resolve();
  }

  exportFiles(): ReturnType<EngineClient["exportFiles"]> {
    return this.engine.exportFiles();
  }

  /** Changes settings and the URL with them. */
  configure(change: Partial<PageConfig>): void {
    this.config.value = { ...this.config.value, ...change };
    this.surroundings.setQuery(writeConfig(this.config.value, this.surroundings.query()));
  }

  /** Opens the notebook elsewhere; what is not named starts over at the first that fits. */
  select(change: Partial<Selection>): void {
    this.following.value = false;
    const now = this.selection.value;
    const sameProblem = change.phase === undefined && change.errorType === undefined && change.taskId === undefined;
    const kept = sameProblem ? now : { ...now, sampleIndex: null, taskId: change.taskId ?? null };
    this.selection.value = { ...kept, ...change };
  }

  private async command(type: "pause" | "resume" | "step" | "stop"): Promise<void> {
    try {
      await this.engine.request({ type });
    } catch (error) {
      this.notice.value = sentenceOf(error);
    }
  }

  /** The sandbox boots on the first start, not before: it is the page's largest download. */
  private giveSandbox(): Promise<void> {
    this.sandbox ??= this.surroundings
      .openSandbox()
      .then((port) => this.engine.request({ type: "sandbox", port }, [port]))
      .catch((error) => {
        this.sandbox = null;
        throw error;
      });
    return this.sandbox;
  }

  private clear(): void {
    batch(() => {
      this.current = emptyRun();
      this.events.length = 0;
      this.shown.value = this.config.value;
      this.failure.value = null;
      this.notice.value = null;
      this.comparison.value = null;
      this.following.value = true;
      this.followedMs = Number.NEGATIVE_INFINITY;
      this.selection.value = { phase: "exam", errorType: null, taskId: null, sampleIndex: null };
      this.state.value = "running";
      this.revision.value += 1;
    });
  }

  private receive(event: Event): void {
    switch (event.type) {
      case "device":
        this.device.value = event.device;
        return;
      case "model":
        this.model.value = event.model;
        return;
      case "progress":
        this.loading.value = event.done < event.total ? event : null;
        return;
      case "state":
        this.obey(event.state);
        return;
      case "failed":
        this.fail("run", new Error(event.message));
        return;
      case "done":
      case "generated":
      case "exported":
        return; // answers to requests: the client keeps them
      default:
        this.record(event);
    }
  }

  private obey(state: Extract<Event, { type: "state" }>["state"]): void {
    if (state === "running" && this.state.value === "paused") restartClock(this.current, this.surroundings.nowMs());
    if (state === "finished") this.finish();
    else if (state !== "idle") this.state.value = state;
    if (state === "paused") this.announcement.value = "Paused.";
  }

  private finish(): void {
    if (this.state.value === "finished") return;
    this.state.value = "finished";
    this.announcement.value = "The run has finished.";
  }

  private record(event: RunEvent): void {
    this.events.push(event);
    const before = this.current.station;
    applyEvent(this.current, event, this.surroundings.nowMs());
    if (event.type === "stage" && stationOf(event.stage, event.phase) !== before) {
      this.announcement.value = `${STATION_NAMES[stationOf(event.stage, event.phase)]} began.`;
    }
    if (event.type === "step" && this.following.value) this.follow(event.pairs);
    this.redraw();
  }

  /** Opens a trained pair in the notebook, slowly enough to be read. */
  private follow(pairs: readonly Preference[]): void {
    const pair = pairs.find((entry) => entry.rejected_index !== undefined);
    const nowMs = this.surroundings.nowMs();
    if (!pair || nowMs - this.followedMs < FOLLOW_EVERY_MS) return;
    this.followedMs = nowMs;
    this.selection.value = { phase: "exam", errorType: null, taskId: pair.task_id, sampleIndex: pair.rejected_index ?? null };
  }

  private redraw(): void {
    if (this.frameAsked) return;
    this.frameAsked = true;
    this.surroundings.nextFrame(() => {
      this.frameAsked = false;
      this.revision.value += 1;
    });
  }

  private fail(what: Failure["what"], error: unknown): void {
    batch(() => {
      this.failure.value = { what, message: sentenceOf(error) };
      this.loading.value = null;
      this.state.value = "failed";
    });
  }
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const SessionContext = createContext<Session | null>(null);
export const SessionProvider = SessionContext.Provider;

/** The session of the page this component is in. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error("A panel was drawn outside the page: wrap it in SessionProvider.");
  return session;
}
