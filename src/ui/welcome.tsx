import type { DeviceInfo } from "../worker/protocol.ts";
import { FIRST_RECORDING } from "./recorded/recordings.ts";
import { useSession } from "./session.ts";
import { isSoftwareAdapter } from "./webgpu_help.ts";

const PLOT: readonly { name: string; text: string }[] = [
  { name: "Exam", text: "A very small model writes many answers to each of a set of Python problems. About half are wrong." },
  { name: "Analysis", text: "Every answer runs in a sealed Python. Failures go into a notebook, sorted by the error they raise." },
  { name: "Correction", text: "The model trains on pairs, a right answer beside a wrong one, one kind of error after the other." },
  { name: "Quiz", text: "Every few steps a short test shows which errors came back. Those are practised again." },
];

function readyText(device: DeviceInfo | null): string {
  const promise = "Nothing leaves this machine. Pause whenever you like; you cannot break anything.";
  if (!device || !isSoftwareAdapter(device)) return promise;
  return `No GPU here, the CPU stands in. The size “Quick look” runs the whole loop in minutes; “Demo” improves more and takes a quarter of an hour. ${promise}`;
}

/** What stands in the notebook's place before the first run. */
export function Welcome() {
  const session = useSession();
  const loading = session.workbench.loading.value;
  const waiting = session.state.value === "loading";
  return (
    <section class="panel welcome" aria-labelledby="welcome-title">
      <div>
        <h2 id="welcome-title">Watch a model make mistakes, and stop making them</h2>
        <ol>
          {PLOT.map(({ name, text }) => (
            <li key={name}>
              <strong>{name}</strong>
              <p>{text}</p>
            </li>
          ))}
        </ol>
        <div class="begin">
          <button
            type="button"
            class="primary"
            disabled={session.workbench.model.value === null || session.busy.value}
            onClick={() => session.start()}
          >
            Start the exam
          </button>
          <button type="button" disabled={session.busy.value} onClick={() => session.playRecording(FIRST_RECORDING)}>
            Watch a recorded run
          </button>
          <button type="button" onClick={() => session.beginLesson("first-run")}>
            Take the lesson
          </button>
          <p class="caption begin-note">{waiting ? (loading?.label ?? "Opening the GPU …") : readyText(session.workbench.device.value)}</p>
          {waiting && (
            <progress class="gauge" aria-label="Loading" max={loading?.total ?? 1} {...(loading ? { value: loading.done } : {})} />
          )}
        </div>
      </div>
    </section>
  );
}
