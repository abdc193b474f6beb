import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { csvOf, download } from "../exports.ts";
import { useSession } from "../session.ts";
import { Plot, resolveColor, resolveRgb } from "./chart.tsx";
import { type ChartSpec, chartsOf } from "./chart_spec.ts";
import { chartSvg } from "./chart_svg.ts";
import { SmoothingSlider } from "./curves_view.tsx";

const ROWS_AT_ONCE = 100;

function DataTable({ spec }: { spec: ChartSpec }) {
  const from = useSignal(0);
  const rows = spec.x.slice(from.value, from.value + ROWS_AT_ONCE);
  const last = Math.min(spec.x.length, from.value + ROWS_AT_ONCE);
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: only what takes the focus scrolls by keyboard */}
      <section class="table-well" tabIndex={0} aria-label={`${spec.title} as a table`}>
        <table>
          <thead>
            <tr>
              <th scope="col">step</th>
              {spec.lines.map((line) => (
                <th scope="col" key={line.name}>
                  {line.name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((x, index) => (
              <tr key={x}>
                <th scope="row">{x}</th>
                {spec.lines.map((line) => {
                  const value = line.values[from.value + index];
                  return <td key={line.name}>{value === null || value === undefined ? "" : spec.format(value)}</td>;
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      {spec.x.length > ROWS_AT_ONCE && (
        <p class="pages caption">
          <button type="button" disabled={from.value === 0} onClick={() => (from.value -= ROWS_AT_ONCE)}>
            Earlier
          </button>
          Rows {from.value + 1} to {last} of {spec.x.length}
          <button type="button" disabled={last === spec.x.length} onClick={() => (from.value += ROWS_AT_ONCE)}>
            Later
          </button>
        </p>
      )}
    </>
  );
}

/** The plot as it is drawn, with title and background. */
function toPng(spec: ChartSpec, place: Element): Promise<Blob | null> {
  const source = place.querySelector("canvas");
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  if (!source || !context) return Promise.resolve(null);
  const head = 36 * devicePixelRatio;
  canvas.width = source.width;
  canvas.height = source.height + head;
  context.fillStyle = resolveColor(place, "var(--sheet)");
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = resolveColor(place, "var(--ink)");
  context.font = `600 ${15 * devicePixelRatio}px ${getComputedStyle(place).fontFamily}`;
  context.fillText(`${spec.title}: ${spec.lines.map((line) => line.name).join(", ")}`, 12 * devicePixelRatio, 24 * devicePixelRatio);
  context.drawImage(source, 0, head);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function Enlarged({ spec }: { spec: ChartSpec }) {
  const session = useSession();
  const place = useRef<HTMLDivElement>(null);
  const onHover = useRef(() => {});
  const smoothing = session.smoothing.value;
  const bytes = (text: string) => new TextEncoder().encode(text);
  const saveSvg = () => {
    const element = place.current;
    if (element) download(`${spec.id}.svg`, bytes(chartSvg(spec, smoothing, (color) => resolveRgb(element, color))));
  };
  const savePng = async () => {
    const blob = place.current && (await toPng(spec, place.current));
    if (blob) download(`${spec.id}.png`, new Uint8Array(await blob.arrayBuffer()));
    else session.notice.value = "The browser could not make a picture of this chart; SVG and CSV still work.";
  };
  const saveCsv = () => {
    const rows = spec.x.map((x, index) => [x, ...spec.lines.map((line) => line.values[index] ?? null)]);
    download(`${spec.id}.csv`, bytes(csvOf(["step", ...spec.lines.map((line) => line.name)], rows)));
  };
  return (
    <>
      <p class="caption">{spec.meaning}</p>
      <div class="enlarged" ref={place}>
        <Plot spec={spec} smoothing={smoothing} onHover={onHover.current} />
      </div>
      <div class="panel-head">
        {!spec.dots && <SmoothingSlider />}
        <button type="button" onClick={saveSvg}>
          SVG
        </button>
        <button type="button" onClick={savePng}>
          PNG
        </button>
        <button type="button" onClick={saveCsv}>
          CSV
        </button>
      </div>
      <DataTable spec={spec} />
    </>
  );
}

/** A chart large, with its data as a table and as files. */
export function ChartDialog() {
  const session = useSession();
  const dialog = useRef<HTMLDialogElement>(null);
  const open = session.openChart.value;
  const spec = open === null ? undefined : chartsOf(session.board.run, session.shown.value.method).find(({ id }) => id === open);
  useEffect(() => {
    if (open !== null) dialog.current?.showModal();
  }, [open]);
  return (
    <dialog class="sheet-dialog chart-dialog" ref={dialog} aria-labelledby="chart-title" onClose={() => (session.openChart.value = null)}>
      <div class="panel-head">
        <h2 id="chart-title">{spec?.title ?? "Chart"}</h2>
        <button type="button" class="to-the-end" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </div>
      {spec && <Enlarged key={spec.id} spec={spec} />}
    </dialog>
  );
}
