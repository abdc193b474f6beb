// The page's state and what its controls do. The engine computes; here is only what is shown and what was asked for.
import { batch, computed, type Signal, signal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { messageOf } from "../input_error.ts";
import type { RunEvent } from "../records.ts";
import type { EngineClient, Request } from "../worker/client.ts";
import type { Event, KeptRun } from "../worker/protocol.ts";
import { adapterFilesOf } from "./adapter_files.ts";
import { Board, type BoardLinks } from "./board.ts";
import type { ChartId } from "./charts/chart_spec.ts";
import { comparedRun, Shelf } from "./compare/shelf.ts";
import { Lesson } from "./lesson/lesson.ts";
import type { LessonName } from "./lesson/lessons.ts";
import { Workbench } from "./machine/workbench.ts";
import { OtherTabs, type TabChannel, type TabLinks, type ToldRun } from "./other_tabs.ts";
import type { Recording } from "./recorded/recordings.ts";
import { type RunArchive, readArchive, readRecord } from "./recorded/run_archive.ts";
import { Screening } from "./recorded/screening.ts";
import { unzip } from "./recorded/unzip.ts";
import { type PageConfig, readPreset, writeConfig } from "./url_config.ts";
import { isSoftwareAdapter } from "./webgpu_help.ts";

/** As `data-state` on the root element. */
export type PageState = "loading" | "ready" | "running" | "paused" | "finished" | "failed";

export interface Failure {
  /** What could not be done: open a GPU, load the model, or run. */
  what: "device" | "model" | "run";
  message: string;
}

/** The outside world of a session, so that tests can play it. */
export interface Surroundings {
  connect(onEvent: (event: Event) => void): EngineClient;
  /** Creates the sandbox frame and gives the judge's port. */
  openSandbox(): Promise<MessagePort>;
  /** A file below the page's folder. */
  fetchBytes(path: string): Promise<Uint8Array>;
  /** Calls back once, before the next picture is drawn. */
  nextFrame(callback: () => void): void;
  nowMs(): number;
  /** Where the tabs of this browser hear one another. */
  channel: TabChannel;
  /** Whether any tab of this browser trains. */
  isTraining(): Promise<boolean>;
  /** Address of the page's folder. */
  base: string;
  setQuery(query: string): void;
  query(): string;
}

/** What the board shows: a run that is computed here, one that is played, one of another tab, or none yet. */
export type Source = "none" | "live" | "recorded" | "watched";

export class Session {
  readonly state = signal<PageState>("loading");
  readonly source = signal<Source>("none");
  readonly failure: Signal<Failure | null> = signal(null);
  /** The runs that the browser keeps, the latest first. */
  readonly kept: Signal<readonly KeptRun[]> = signal([]);
  readonly config: Signal<PageConfig>;
  /** Settings of the run that is shown; the controls may already say something else. */
  readonly shown: Signal<PageConfig>;
  /** One sentence in place for something that did not work but stops nothing. */
  readonly notice: Signal<string | null> = signal(null);
  readonly helpOpen = signal(false);
  /** The chart that is enlarged. */
  readonly openChart: Signal<ChartId | null> = signal(null);
  /** Share of the past that a smoothed curve keeps, 0 to 1. */
  readonly smoothing = signal(0.8);
  /** The problem that the view of answers is opened at; null: all. */
  readonly answersOf: Signal<string | null> = signal(null);
  readonly lesson: Lesson;
  readonly shelf: Shelf;
  readonly workbench: Workbench;
  /** Whether a run can begin now. */
  readonly startable = computed(() => {
    const other = this.tabs.other.value?.state;
    if (this.source.value === "watched" && (other === "running" || other === "paused")) return false;
    return ["ready", "finished", "failed"].includes(this.state.value) && this.workbench.model.value !== null;
  });
  /** Read aloud by screen readers. */
  readonly announcement = signal("");
  readonly busy = computed(() => this.state.value === "running" || this.state.value === "paused");
  /** A run of this tab that the browser does not keep, and whose files were not saved since it ended. */
  readonly unsaved = signal(false);
  /** Whether something is lost, or at least breaks off, with this tab. */
  readonly holdsWork = computed(() => this.busy.value || this.unsaved.value);
  readonly board: Board;
  readonly screening: Screening;
  readonly tabs: OtherTabs;
  private readonly surroundings: Surroundings;
  private connected: EngineClient | null = null;
  /** The run under way, until it is over. */
  private going: Promise<void> | null = null;
  private sandbox: Promise<void> | null = null;
  /** Whether other tabs were told of the run under way. */
  private introduced = false;
  private shelved = 0;

  constructor(surroundings: Surroundings, config: PageConfig) {
    this.surroundings = surroundings;
    this.config = signal(config);
    this.shown = signal(config);
    const clock: Pick<BoardLinks, "nextFrame" | "nowMs"> = {
      nextFrame: (callback) => surroundings.nextFrame(callback),
      nowMs: () => surroundings.nowMs(),
    };
    this.board = new Board({ ...clock, announce: (sentence) => (this.announcement.value = sentence) });
    this.screening = new Screening(this.board, clock);
    this.tabs = new OtherTabs({
      channel: surroundings.channel,
      isTraining: () => surroundings.isTraining(),
      own: () => this.ownRun(),
      begin: (run) => this.showOther(run),
      show: (event) => this.showEvent(event),
      caughtUp: () => this.board.restartClock(),
      ended: (state) => void this.otherEnded(state),
    });
    this.lesson = new Lesson(config.lesson);
    this.workbench = new Workbench({
      engine: () => this.engine,
      tell: (sentence) => (this.notice.value = sentence),
      seed: () => this.config.value.seed,
    });
    const { remote } = this.workbench;
    remote.value = { ...remote.value, name: config.model, hub: config.hub || remote.value.hub };
    this.shelf = new Shelf((recording) => this.fetchArchive(recording));
  }

  /** The engine's worker is started when it is first needed: what is recorded plays before. */
  private get engine(): EngineClient {
    this.connected ??= this.surroundings.connect((event) => this.receive(event));
    return this.connected;
  }

  /** Fetches a recorded run of the page's own and plays it, unless something else is shown by then; says in place why where that fails. */
  async playRecording(recording: Recording): Promise<void> {
    const before = this.source.value;
    try {
      const archive = await this.fetchArchive(recording);
      if (this.source.value === before) this.play(archive);
    } catch (error) {
      this.notice.value = messageOf(error);
    }
  }

  private async fetchArchive({ path, title }: Recording): Promise<RunArchive> {
    return readArchive(title, await unzip(path, await this.surroundings.fetchBytes(path)));
  }

  /** Plays a run's files, in place of what the board shows. A live run is never pushed aside. */
  play(archive: RunArchive): void {
    if (this.busy.value) return;
    const { method, preset, seed } = archive.record;
    this.tabs.leave();
    this.clear({ ...this.config.value, method, preset: readPreset(preset), seed });
    this.source.value = "recorded";
    this.screening.begin(archive);
  }

  private ownRun(): ReturnType<TabLinks["own"]> {
    const { value: state } = this.state;
    if (state !== "running" && state !== "paused") return null;
    const { method, preset, seed } = this.shown.value;
    return { run: { method, preset, seed }, state, events: this.board.events };
  }

  private showOther({ method, preset, seed }: ToldRun): void {
    this.screening.end();
    this.clear({ ...this.config.value, method, preset: readPreset(preset), seed });
    this.source.value = "watched";
    this.announcement.value = "Another tab trains; this one watches.";
  }

  private async otherEnded(state: "finished" | "gone"): Promise<void> {
    this.announcement.value = state === "finished" ? "The run has finished." : "The tab that trained is gone; its run can go on here.";
    if (state === "finished") this.shelve();
    await this.tryTo({ type: "runs" });
  }

  /** Opens the device and loads the embedded model; starts the run at once where the URL asks for it. */
  async open(): Promise<void> {
    try {
      await this.engine.request({ type: "open", base: this.surroundings.base, power: this.config.value.power });
    } catch (error) {
      return this.fail(this.workbench.device.value ? "model" : "device", error);
    }
    this.workbench.loading.value = null;
    this.takeTheQuickLook();
    this.state.value = "ready";
    this.announcement.value = "Ready. Press Start.";
    await this.tryTo({ type: "runs" });
    if (this.config.value.autostart && !this.tabs.watching.value) await this.start();
  }

  /** Without a GPU the demo's exam alone takes minutes: who asked for no size sees the loop turn at once. */
  private takeTheQuickLook(): void {
    const asked = new URLSearchParams(this.surroundings.query()).has("preset");
    const device = this.workbench.device.value;
    if (!asked && device && isSoftwareAdapter(device)) this.config.value = { ...this.config.value, preset: "smoke" };
  }

  /** Starts a new run; what an earlier one showed is cleared. */
  async start(): Promise<void> {
    const { preset, method, seed, set: settings, taskIds } = this.config.value;
    const style = this.workbench.promptStyle.value;
    const overrides = style === null ? {} : { prompt_style: style };
    await this.begin({ type: "start", run: { preset, method, seed, overrides, settings, taskIds, from: this.workbench.from.value } });
  }

  /** Goes on with a kept run: what it had done is told again, then it trains on. */
  async goOn(run: KeptRun): Promise<void> {
    if (!this.startable.value) return;
    this.configure({ preset: readPreset(run.preset), method: run.method, seed: run.seed, view: "run" });
    await this.begin({ type: "goOn", run: run.id });
  }

  deleteRun(run: KeptRun): Promise<void> {
    return this.tryTo({ type: "deleteRun", run: run.id });
  }

  /** The files of a kept run that is finished. @throws Error with the engine's sentence */
  keptFiles(run: KeptRun): ReturnType<EngineClient["exportFiles"]> {
    return this.engine.exportFiles(run.id);
  }

  /** Keeps the trained adapter of a finished run beside the model, to be asked or trained on. */
  async takeAdapter(run: KeptRun, name: string): Promise<void> {
    try {
      await this.workbench.addAdapter(name, adapterFilesOf(await this.keptFiles(run)) ?? []);
    } catch (error) {
      this.notice.value = messageOf(error);
    }
  }

  private async begin(request: Extract<Request, { type: "start" | "goOn" }>): Promise<void> {
    if (!this.startable.value) return;
    this.screening.end();
    this.tabs.leave();
    this.clear(this.config.value);
    this.notice.value = null;
    this.unsaved.value = false;
    this.introduced = false;
    this.source.value = "live";
    this.state.value = "running";
    this.going = this.runToItsEnd(request);
    await this.going;
  }

  private async runToItsEnd(request: Extract<Request, { type: "start" | "goOn" }>): Promise<void> {
    try {
      await this.giveSandbox();
      await this.engine.request(request);
      if (this.busy.value) this.finish();
    } catch (error) {
      this.fail("run", error);
    }
  }

  /** Ends the run, forgets it and begins anew. */
  async reset(): Promise<void> {
    await this.stop();
    await this.going;
    this.screening.end();
    this.tabs.leave();
    this.clear(this.config.value);
    this.source.value = "none";
    this.unsaved.value = false;
    if (this.state.value === "finished") this.state.value = "ready";
  }

  /** Start, pause or resume: whatever the one big button means now. */
  async toggle(): Promise<void> {
    const player = this.screening.player.value;
    if (player) return player.playing.value ? player.pause() : player.play();
    if (this.state.value === "running") return this.command("pause");
    if (this.state.value === "paused") return this.command("resume");
    return this.start();
  }

  /** To the end of the next optimiser step. */
  async step(): Promise<void> {
    if (this.screening.player.value) return this.screening.player.value.step();
    return this.state.value === "paused" ? this.command("step") : Promise.resolve();
  }

  /** Ends the run and keeps what was trained. */
  stop(): Promise<void> {
    return this.busy.value ? this.command("stop") : Promise.resolve();
  }

  /** The files of the run that is shown. */
  async exportFiles(): ReturnType<EngineClient["exportFiles"]> {
    const player = this.screening.player.value;
    return player ? [...player.archive.files].map(([path, bytes]) => ({ path, bytes })) : this.engine.exportFiles();
  }

  /** All files of the run that is shown were saved; what it does from here on is not. */
  markSaved(): void {
    if (this.source.value === "live" && !this.busy.value) this.unsaved.value = false;
  }

  beginLesson(name: LessonName): void {
    this.lesson.begin(name);
    this.configure({ lesson: name });
  }

  /** Shows a problem's answers. */
  openAnswers(taskId: string): void {
    this.answersOf.value = taskId;
    this.configure({ view: "answers" });
  }

  /** Changes settings and the URL with them. */
  configure(change: Partial<PageConfig>): void {
    this.config.value = { ...this.config.value, ...change };
    this.surroundings.setQuery(writeConfig(this.config.value, this.surroundings.query()));
  }

  private command(type: "pause" | "resume" | "step" | "stop"): Promise<void> {
    return this.tryTo({ type });
  }

  /** Sends a request; what the engine says against it is shown in place. */
  private async tryTo(request: Request): Promise<void> {
    try {
      await this.engine.request(request);
    } catch (error) {
      this.notice.value = messageOf(error);
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

  private clear(shown: PageConfig): void {
    batch(() => {
      this.board.clear();
      this.shown.value = shown;
      if (this.failure.value?.what === "run") this.failure.value = null;
    });
  }

  private receive(event: Event): void {
    switch (event.type) {
      case "device":
      case "model":
      case "progress":
      case "checked":
      case "problems":
      case "planned":
      case "models":
      case "adapters":
        this.workbench.receive(event);
        return;
      case "state":
        this.obey(event.state);
        return;
      case "failed":
        this.fail("run", new Error(event.message));
        return;
      case "notice":
        this.notice.value = event.message;
        return;
      case "sandboxWanted":
        this.sandbox = null;
        void this.giveSandbox().catch((error) => (this.notice.value = messageOf(error)));
        return;
      case "runs":
        this.kept.value = event.runs;
        return;
      case "kept":
        this.unsaved.value = !event.kept;
        return;
      case "done":
      case "generated":
      case "exported":
      case "scored":
      case "measured":
        return; // answers to requests: the client keeps them
      default:
        this.record(event);
    }
  }

  private obey(state: Extract<Event, { type: "state" }>["state"]): void {
    const before = this.state.value;
    if (state === "running" && before === "paused") this.board.restartClock();
    if (state === "finished") this.finish();
    else if (state !== "idle") this.state.value = state;
    if (state === "paused") this.announcement.value = "Paused.";
    if (state === "running" && !this.introduced) {
      this.introduced = true;
      this.tabs.tellBegin();
    } else if (state !== "idle") this.tabs.tellState(state);
  }

  private finish(): void {
    if (this.state.value === "finished") return;
    this.state.value = "finished";
    this.announcement.value = "The run has finished.";
    this.shelve();
  }

  /** A run that came to its end can be compared. */
  private shelve(): void {
    const { run } = this.board;
    const record = run.finished;
    if (!record) return;
    const { method, seed } = this.shown.value;
    this.shelved += 1;
    const title = `${method}, seed ${seed}`;
    this.shelf.add({ id: `run-${this.shelved}`, title, run: comparedRun(run), record: readRecord(record, title) });
  }

  private record(event: RunEvent): void {
    this.showEvent(event);
    this.tabs.tell(event);
  }

  private showEvent(event: RunEvent): void {
    this.board.record(event);
    this.board.followLatest(false);
  }

  private fail(what: Failure["what"], error: unknown): void {
    batch(() => {
      this.failure.value = { what, message: messageOf(error) };
      this.workbench.loading.value = null;
      this.state.value = "failed";
    });
  }
}

const SessionContext = createContext<Session | null>(null);
export const SessionProvider = SessionContext.Provider;

/** The session of the page this component is in. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error("A panel was drawn outside the page: wrap it in SessionProvider.");
  return session;
}
