// The tabs of one browser: only one of them trains. It tells the others its events; one that watches shows them, and notices when the
// other is gone.
import { type Signal, signal } from "@preact/signals";
import type { RunEvent } from "../records.ts";

/** What is told of a run beside its events. */
export interface ToldRun {
  method: string;
  preset: string;
  seed: number;
}

export type Word =
  /** Does anyone train? */
  | { kind: "who" }
  /** This tab does; its events so far follow. */
  | { kind: "run"; tab: string; run: ToldRun; state: "running" | "paused"; events: number }
  | { kind: "events"; tab: string; from: number; events: RunEvent[] }
  | { kind: "state"; tab: string; state: "running" | "paused" | "finished" };

/** What is needed of a BroadcastChannel. */
export interface TabChannel {
  postMessage(word: Word): void;
  onmessage: ((message: MessageEvent<Word>) => void) | null;
}

/** The run of another tab. `gone`: the tab was closed, or crashed. */
export interface OtherRun {
  tab: string;
  run: ToldRun;
  state: "running" | "paused" | "finished" | "gone";
}

export interface TabLinks {
  channel: TabChannel;
  /** Whether any tab trains, this one included. */
  isTraining(): Promise<boolean>;
  /** The run that goes on in this tab, with its events so far; null where none does. */
  own(): { run: ToldRun; state: "running" | "paused"; events: readonly RunEvent[] } | null;
  /** Empties the board for the other tab's run. */
  begin(run: ToldRun): void;
  show(event: RunEvent): void;
  /** All that had happened before is shown. */
  caughtUp(): void;
  /** The run that was watched is over. */
  ended(state: "finished" | "gone"): void;
}

/** Events are told in batches, and a long log in pieces that do not hold up the page. */
const TELL_EVERY_MS = 100;
const PIECE = 500;
const ANSWER_WITHIN_MS = 1500;
const LOOK_EVERY_MS = 1000;

export class OtherTabs {
  /** The latest run of another tab that was heard of. */
  readonly other: Signal<OtherRun | null> = signal(null);
  /** The board shows that run. */
  readonly watching = signal(false);
  private readonly links: TabLinks;
  private readonly tab = Math.random().toString(36).slice(2); // a name, not a draw: nothing is computed from it
  /** Events that wait to be told, and how many were told before. */
  private untold: RunEvent[] = [];
  private told = 0;
  private telling = false;
  /** Events of the other tab that are shown, and how many it had when it introduced itself. */
  private shown = 0;
  private before = 0;
  private looking = false;
  private answered: () => void = () => {};

  constructor(links: TabLinks) {
    this.links = links;
    links.channel.onmessage = ({ data }) => this.hear(data);
  }

  /** Watches the tab that trains. Returns whether there is one, and it answers. */
  async join(): Promise<boolean> {
    if (!(await this.links.isTraining())) return false;
    this.watching.value = true;
    this.shown = 0;
    const answer = new Promise<boolean>((resolve) => {
      this.answered = () => resolve(true);
      setTimeout(() => resolve(false), ANSWER_WITHIN_MS);
    });
    this.links.channel.postMessage({ kind: "who" });
    this.watching.value = await answer;
    return this.watching.value;
  }

  /** The board shows something else from here on. */
  leave(): void {
    this.watching.value = false;
    if (this.other.value?.state === "finished" || this.other.value?.state === "gone") this.other.value = null;
  }

  /** This tab's run has begun: it is told from its first event. */
  tellBegin(): void {
    this.leave();
    this.untold = [];
    this.introduce();
  }

  tell(event: RunEvent): void {
    this.untold.push(event);
    if (this.telling) return;
    this.telling = true;
    setTimeout(() => this.tellNow(), TELL_EVERY_MS);
  }

  tellState(state: "running" | "paused" | "finished"): void {
    this.tellNow();
    this.links.channel.postMessage({ kind: "state", tab: this.tab, state });
  }

  private introduce(): void {
    const own = this.links.own();
    if (!own) return;
    const { run, state, events } = own;
    const { channel } = this.links;
    this.untold = [];
    this.told = events.length;
    channel.postMessage({ kind: "run", tab: this.tab, run: { ...run }, state, events: events.length });
    for (let from = 0; from < events.length; from += PIECE) {
      channel.postMessage({ kind: "events", tab: this.tab, from, events: events.slice(from, from + PIECE) });
    }
  }

  private tellNow(): void {
    this.telling = false;
    if (this.untold.length === 0) return;
    this.links.channel.postMessage({ kind: "events", tab: this.tab, from: this.told, events: this.untold });
    this.told += this.untold.length;
    this.untold = [];
  }

  private hear(word: Word): void {
    if (word.kind === "who") this.introduce();
    else if (this.links.own())
      return; // two that train would break the lock: nothing to hear
    else if (word.kind === "run") this.meet(word);
    else if (word.kind === "events") this.follow(word);
    else if (this.other.value?.tab === word.tab) this.turn(word.state);
  }

  private meet({ tab, run, state, events }: Extract<Word, { kind: "run" }>): void {
    const isSame = this.other.value?.tab === tab && this.shown > 0;
    this.other.value = { tab, run, state };
    this.answered();
    void this.look();
    if (!this.watching.value || (isSame && events >= this.shown)) return; // another tab asked: nothing new
    this.shown = 0;
    this.before = events;
    this.links.begin(run);
  }

  private follow({ tab, from, events }: Extract<Word, { kind: "events" }>): void {
    if (!this.watching.value || this.other.value?.tab !== tab) return;
    if (from > this.shown)
      this.links.channel.postMessage({ kind: "who" }); // something was missed: it is told again from the beginning
    else this.showAll(events.slice(this.shown - from));
  }

  private showAll(events: readonly RunEvent[]): void {
    for (const event of events) {
      this.links.show(event);
      this.shown += 1;
      if (this.shown === this.before) this.links.caughtUp();
    }
  }

  /** A tab that is closed says nothing: it is seen by who holds the lock. */
  private async look(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    while (this.isGoingOn()) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      if (this.isGoingOn() && !(await this.links.isTraining())) this.turn("gone");
    }
    this.looking = false;
  }

  private isGoingOn(): boolean {
    return this.other.value?.state === "running" || this.other.value?.state === "paused";
  }

  private turn(state: OtherRun["state"]): void {
    const { other, watching, links } = this;
    if (!other.value) return;
    other.value = { ...other.value, state };
    if (state !== "finished" && state !== "gone") return;
    if (watching.value) links.ended(state);
    else other.value = null;
  }
}
