// The GPU: what it is, whether it computes what it should, how fast it is, and where none was found, how to get one.
import { type Signal, useSignal } from "@preact/signals";
import { messageOf } from "../../input_error.ts";
import type { DeviceInfo, MeasuredRates } from "../../worker/protocol.ts";
import { bytesText, metricText, percentText } from "../number_text.ts";
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
  const measured: Signal<MeasuredRates | null> = useSignal(null);
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
    <>
      <button type="button" disabled={session.workbench.model.value === null || measuring.value} onClick={measure}>
        {measuring.value ? "Measuring …" : "Measure its speed"}
      </button>
      {measured.value && <RatesTable rates={measured.value} />}
    </>
  );
}

/** A number with its unit. */
function rateText(value: number, unit: string): string {
  return `${metricText(value)} ${unit}`;
}

function RatesTable({ rates: { gflops, copyGbps, dispatchMicroseconds, products } }: { rates: MeasuredRates }) {
  const rows = [
    ["Multiply-adds, from registers alone", rateText(gflops, "GFLOP/s"), ""],
    ...products.map((product) => [
      `Product ${product.name}, ${product.shape}, tile ${product.tile}`,
      rateText(product.gflops, "GFLOP/s"),
      percentText(product.gflops / gflops),
    ]),
    ["Copy, read and written", rateText(copyGbps, "GB/s"), ""],
    ["Dispatch that does nothing", rateText(dispatchMicroseconds, "µs"), ""],
  ];
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: only what takes the focus scrolls by keyboard
    <section class="table-scroll rates" tabIndex={0} aria-label="Speed of the GPU">
      <table>
        <thead>
          <tr>
            <th scope="col">Measured here</th>
            <th scope="col">rate</th>
            <th scope="col">of the best</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(([what, rate, share]) => (
            <tr key={what}>
              <th scope="row">{what}</th>
              <td>{rate}</td>
              <td>{share}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
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
