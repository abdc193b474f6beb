// The GPU: what it is, whether it computes what it should, how fast it is, and where none was found, how to get one.
import { type Signal, useSignal } from "@preact/signals";
import { messageOf } from "../../input_error.ts";
import type { Measured } from "../../worker/client.ts";
import type { DeviceInfo } from "../../worker/protocol.ts";
import { bytesText, metricText } from "../number_text.ts";
import { useSession } from "../session.ts";
import { fasterAdapterHelp, isIntegratedAdapter, isSoftwareAdapter, webgpuHelp } from "../webgpu_help.ts";

function DeviceKind({ device }: { device: DeviceInfo }) {
  if (isSoftwareAdapter(device)) {
    return (
      <p>
        <strong>A software adapter</strong>: the processor does the work, some hundred times slower than a graphics card. The quick look
        still takes only minutes.
      </p>
    );
  }
  if (isIntegratedAdapter(device)) {
    return (
      <p>
        <strong>Probably the graphics on the processor's chip.</strong> If this machine has a second, faster one:{" "}
        {fasterAdapterHelp(navigator.userAgent)}
      </p>
    );
  }
  return null;
}

function PowerChoice() {
  const session = useSession();
  const { power } = session.config.value;
  const choose = (next: "high-performance" | "low-power") => {
    session.configure({ power: next });
    location.reload(); // a device is chosen when it is opened
  };
  return (
    <fieldset class="segments" disabled={session.busy.value} aria-label="Which GPU to ask for, on machines with two">
      <button type="button" aria-pressed={power === "high-performance"} onClick={() => choose("high-performance")}>
        Fast GPU
      </button>
      <button type="button" aria-pressed={power === "low-power"} onClick={() => choose("low-power")}>
        Saving GPU
      </button>
    </fieldset>
  );
}

function Check() {
  const session = useSession();
  const checked = session.workbench.checked.value;
  if (!checked) return null;
  const text = `${checked.tokens} log-probabilities were computed and compared with stored ones: the largest difference is ${metricText(checked.largest)}.`;
  return checked.trusted ? (
    <p>
      <strong>It computes what it should.</strong> {text}
    </p>
  ) : (
    <p class="bad" role="alert">
      <strong>This driver computes wrongly.</strong> {text} What is trained on it means nothing: update the driver, or choose another
      browser or GPU.
    </p>
  );
}

function Rates() {
  const session = useSession();
  const measured: Signal<Measured | null> = useSignal(null);
  const measuring = useSignal(false);
  const measure = async () => {
    measuring.value = true;
    try {
      measured.value = await session.workbench.measure();
    } catch (error) {
      session.notice.value = messageOf(error);
    } finally {
      measuring.value = false;
    }
  };
  return (
    <div class="panel-head">
      <button type="button" disabled={session.workbench.model.value === null || measuring.value} onClick={measure}>
        {measuring.value ? "Measuring …" : "Measure its speed"}
      </button>
      {measured.value && (
        <p>
          {metricText(measured.value.gflops)} GFLOP/s at best, {metricText(measured.value.copyGbps)} GB/s of copying,{" "}
          {metricText(measured.value.dispatchMicroseconds)} µs per dispatch
        </p>
      )}
    </div>
  );
}

function limitText(name: string, value: number): string {
  return /Size$/.test(name) ? bytesText(value) : value.toLocaleString("en-US");
}

/** The GPU that was opened. */
export function DeviceCard() {
  const session = useSession();
  const device = session.workbench.device.value;
  const failed = session.failure.value?.what === "device";
  return (
    <section class="panel" aria-labelledby="device-title">
      <div class="panel-head">
        <h2 id="device-title">GPU</h2>
        <PowerChoice />
      </div>
      {!device && !failed && <p class="caption">It is being opened …</p>}
      {failed && <Help />}
      {device && (
        <>
          <p class="large">{[device.vendor, device.architecture, device.description].filter(Boolean).join(" · ") || "unnamed adapter"}</p>
          <DeviceKind device={device} />
          <Check />
          <Rates />
          <dl class="facts">
            {Object.entries(device.limits).map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{limitText(name, value)}</dd>
              </div>
            ))}
          </dl>
          <details>
            <summary>{device.features.length} features</summary>
            <p class="details-text">{device.features.join(", ")}</p>
          </details>
        </>
      )}
    </section>
  );
}

function Help() {
  return (
    <>
      <p>This browser gives no GPU to train on. The recorded runs can be explored in full; to train, try this:</p>
      <dl class="advice">
        {webgpuHelp(navigator.userAgent, window.isSecureContext).map(({ title, text }) => (
          <div key={title}>
            <dt>{title}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <button type="button" onClick={() => location.reload()}>
        Try again
      </button>
    </>
  );
}
