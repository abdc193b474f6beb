import { Icon } from "../icons.tsx";
import { durationText } from "../number_text.ts";
import { useSession } from "../session.ts";
import { METHODS, PRESETS } from "../url_config.ts";
import { type Player, SPEEDS } from "./player.ts";

function clockText(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function SeekBar({ player }: { player: Player }) {
  const at = player.positionMs.value;
  return (
    <input
      type="range"
      class="seek"
      aria-label="Moment of the recorded run"
      aria-valuetext={`${clockText(at)} of ${clockText(player.durationMs)}`}
      min={0}
      max={player.durationMs}
      step={100}
      value={at}
      onInput={(event) => player.seek(Number(event.currentTarget.value))}
    />
  );
}

function SpeedChoice({ player }: { player: Player }) {
  return (
    <label class="speed">
      <span class="unseen">Speed</span>
      <select value={player.speed.value} onChange={(event) => (player.speed.value = Number(event.currentTarget.value))}>
        {SPEEDS.map((speed) => (
          <option key={speed} value={speed}>
            {speed} ×
          </option>
        ))}
      </select>
    </label>
  );
}

/** The controls of a recorded run: that it is one, of what, and where in it we are. */
export function PlaybackBar() {
  const session = useSession();
  const player = session.screening.player.value;
  if (!player) return null;
  const { method, preset, seed } = session.shown.value;
  const playing = player.playing.value;
  const label = playing ? "Hold" : player.positionMs.value >= player.durationMs ? "Play again" : "Play";
  return (
    <section class="playback" aria-label="Recorded run">
      <p>
        <strong>Recorded run</strong>
        <span class="caption">
          {PRESETS.find(({ value }) => value === preset)?.label}, {METHODS.find(({ value }) => value === method)?.label ?? method}, seed{" "}
          {seed}; it took {durationText(player.ranMs / 1000)}
        </span>
      </p>
      <button type="button" class="icon-button" aria-label={label} title={`${label} (Space)`} onClick={() => session.toggle()}>
        <Icon name={playing ? "pause" : "play"} />
      </button>
      <SeekBar player={player} />
      <span class="clock">
        {clockText(player.positionMs.value)} / {clockText(player.durationMs)}
      </span>
      <SpeedChoice player={player} />
    </section>
  );
}
