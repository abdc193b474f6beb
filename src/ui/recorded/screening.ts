// Shows recorded runs on the board, picture by picture.
import { type Signal, signal } from "@preact/signals";
import type { Board, BoardLinks } from "../board.ts";
import { Player } from "./player.ts";
import type { RunArchive } from "./run_archive.ts";

/** A page that was hidden goes on playing where it was. */
const LONGEST_PICTURE_MS = 500;

export class Screening {
  /** Plays the recorded run that is shown; null: none is. */
  readonly player: Signal<Player | null> = signal(null);
  private readonly board: Board;
  private readonly links: Pick<BoardLinks, "nextFrame" | "nowMs">;

  constructor(board: Board, links: Pick<BoardLinks, "nextFrame" | "nowMs">) {
    this.board = board;
    this.links = links;
  }

  /** Plays a run's files from their beginning. */
  begin(archive: RunArchive): void {
    this.end();
    const { board } = this;
    const player = new Player(archive, {
      clear: () => board.empty(),
      show: (event, ranMs) => board.record(event, ranMs),
      settle: (jumped) => board.followLatest(jumped),
    });
    this.player.value = player;
    player.play();
    this.keepPlaying(player, this.links.nowMs());
  }

  end(): void {
    this.player.value?.pause();
    this.player.value = null;
  }

  private keepPlaying(player: Player, lastMs: number): void {
    this.links.nextFrame(() => {
      if (this.player.value !== player) return;
      const nowMs = this.links.nowMs();
      player.advance(Math.min(nowMs - lastMs, LONGEST_PICTURE_MS));
      this.keepPlaying(player, nowMs);
    });
  }
}
