import { ExportMenu } from "./export_menu.tsx";
import { useSession } from "./session.ts";
import { isSeed, METHODS, PRESETS } from "./url_config.ts";

function Brand() {
  return (
    <div class="brand">
      <h1>
        <svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
          <rect width="32" height="32" rx="7" class="brand-sheet" />
          <path d="M9 8.500h14M9 16h10M9 23.500h14" class="brand-line" />
          <path d="M17 18.800 26 13.200" class="brand-stroke" />
        </svg>
        Errata
      </h1>
      <p>A small model learns from its own mistakes, on your GPU, in this tab.</p>
    </div>
  );
}

function Settings() {
  const session = useSession();
  const { preset, method, seed } = session.config.value;
  const disabled = session.busy.value;
  const groups = [...new Set(METHODS.map((entry) => entry.group))];
  return (
    <fieldset class="settings" disabled={disabled}>
      <legend class="unseen">Settings of the run</legend>
      <label>
        <span>Size</span>
        <select value={preset} onChange={(event) => choosePreset(event.currentTarget.value)}>
          {PRESETS.map(({ value, label }) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label class="method">
        <span>Method</span>
        <select value={method} onChange={(event) => session.configure({ method: event.currentTarget.value })}>
          {groups.map((group) => (
            <optgroup key={group} label={group}>
              {METHODS.filter((entry) => entry.group === group).map(({ value, label }) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </optgroup>
          ))}
        </select>
      </label>
      <label>
        <span>Seed</span>
        <input type="text" inputMode="numeric" class="seed" value={seed} onChange={(event) => takeSeed(event.currentTarget)} />
      </label>
    </fieldset>
  );

  function choosePreset(value: string): void {
    const known = PRESETS.find((entry) => entry.value === value);
    if (known) session.configure({ preset: known.value });
  }
  function takeSeed(input: HTMLInputElement): void {
    if (isSeed(input.value)) session.configure({ seed: Number(input.value) });
    else {
      input.value = String(seed);
      session.notice.value = "A seed is a whole number from 0 to 2147483647.";
    }
  }
}

const MAIN_LABELS = { loading: "Start", ready: "Start", running: "Pause", paused: "Resume", finished: "Start again", failed: "Start" };

function Transport() {
  const session = useSession();
  const state = session.state.value;
  const startable = session.model.value !== null && state !== "loading";
  return (
    <fieldset class="transport" aria-label="Run">
      <button type="button" class="primary" disabled={!startable} onClick={() => session.toggle()} aria-keyshortcuts="Space">
        {MAIN_LABELS[state]}
      </button>
      <button
        type="button"
        disabled={state !== "paused"}
        onClick={() => session.step()}
        title="Pause, then go on by one optimiser step (S)"
        aria-keyshortcuts="S"
      >
        Step
      </button>
      <button type="button" disabled={!session.busy.value} onClick={() => session.stop()} title="End the run and keep what was trained">
        Stop
      </button>
      <ExportMenu />
      <button type="button" class="round" aria-label="Help" title="What is this? (?)" onClick={() => (session.helpOpen.value = true)}>
        ?
      </button>
    </fieldset>
  );
}

/** Name, settings and the controls of the run. */
export function Header() {
  return (
    <header class="header">
      <Brand />
      <Settings />
      <Transport />
    </header>
  );
}
