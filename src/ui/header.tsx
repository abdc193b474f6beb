import { Icon } from "./icons.tsx";
import { type Session, useSession } from "./session.ts";
import { ShareMenu } from "./share_menu.tsx";
import { isSeed, METHODS, PRESETS } from "./url_config.ts";
import { VIEWS } from "./views.ts";

function Brand() {
  return (
    <h1 class="brand" title="A small model learns from its own mistakes, on your GPU, in this tab">
      <svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
        <rect width="32" height="32" rx="7" class="brand-sheet" />
        <path d="M9 8.500h14M9 16h10M9 23.500h14" class="brand-line" />
        <path d="M17 18.800 26 13.200" class="brand-stroke" />
      </svg>
      Errata
    </h1>
  );
}

function Views() {
  const session = useSession();
  const { view } = session.config.value;
  return (
    <nav class="views" aria-label="Views">
      {VIEWS.map(({ value, label, purpose }) => (
        <button
          type="button"
          key={value}
          aria-current={value === view ? "page" : undefined}
          title={purpose}
          onClick={() => session.configure({ view: value })}
        >
          {label}
        </button>
      ))}
    </nav>
  );
}

function takeSeed(session: Session, input: HTMLInputElement): void {
  if (isSeed(input.value)) session.configure({ seed: Number(input.value) });
  else {
    input.value = String(session.config.value.seed);
    session.notice.value = "A seed is a whole number from 0 to 2147483647.";
  }
}

function Settings() {
  const session = useSession();
  const { preset, method, seed } = session.config.value;
  const groups = [...new Set(METHODS.map((entry) => entry.group))];
  const choosePreset = (value: string) => {
    const known = PRESETS.find((entry) => entry.value === value);
    if (known) session.configure({ preset: known.value });
  };
  return (
    <fieldset class="settings" disabled={session.busy.value}>
      <legend class="unseen">Settings of the run</legend>
      <select
        aria-label="Size"
        title="How much of everything: answers, problems, steps"
        value={preset}
        onChange={(event) => choosePreset(event.currentTarget.value)}
      >
        {PRESETS.map(({ value, label }) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
      <select
        class="method"
        aria-label="Method"
        title="Which pairs are trained, and in which order"
        value={method}
        onChange={(event) => session.configure({ method: event.currentTarget.value })}
      >
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
      <label>
        <span>Seed</span>
        <input
          type="text"
          inputMode="numeric"
          class="seed"
          title="Of every draw: the same seed gives the same run"
          value={seed}
          onChange={(event) => takeSeed(session, event.currentTarget)}
        />
      </label>
    </fieldset>
  );
}

/** What the one big button does now; a recorded run has buttons of its own, and leaves it to the live one. */
function mainLabel(session: Session): string {
  if (session.source.value === "recorded") return session.state.value === "loading" ? "Opening the GPU …" : "Train it live";
  if (session.source.value === "watched" && !session.startable.value && session.state.value === "ready") return "Watching";
  const labels = { loading: "Loading …", ready: "Start", running: "Pause", paused: "Resume", finished: "Start again", failed: "Start" };
  return labels[session.state.value];
}

function Transport() {
  const session = useSession();
  const state = session.state.value;
  const startable = session.startable.value || session.busy.value;
  const recorded = session.source.value === "recorded";
  const press = () => (recorded ? session.start() : session.toggle());
  return (
    <fieldset class="transport" aria-label="Controls">
      <button type="button" class="primary" disabled={!startable} onClick={press} aria-keyshortcuts={recorded ? undefined : "Space"}>
        {mainLabel(session)}
      </button>
      <button
        type="button"
        class="icon-button"
        aria-label="Step"
        disabled={state !== "paused" && !recorded}
        onClick={() => session.step()}
        title="On to the end of the next optimiser step, then hold (S)"
        aria-keyshortcuts="S"
      >
        <Icon name="step" />
      </button>
      <button
        type="button"
        class="icon-button"
        aria-label="Stop and keep"
        disabled={!session.busy.value}
        onClick={() => session.stop()}
        title="Stop and keep: end the run, keep what was trained"
      >
        <Icon name="stop" />
      </button>
      <button
        type="button"
        class="icon-button"
        aria-label="Reset"
        disabled={session.source.value === "none"}
        onClick={() => session.reset()}
        title="Reset: forget this run and begin anew"
      >
        <Icon name="reset" />
      </button>
      <ShareMenu />
      <button type="button" class="round" aria-label="Help" title="What is this? (?)" onClick={() => (session.helpOpen.value = true)}>
        ?
      </button>
    </fieldset>
  );
}

/** Name, views, settings and the controls of the run. */
export function Header() {
  return (
    <header class="header">
      <Brand />
      <Views />
      <Settings />
      <Transport />
    </header>
  );
}
