// One chart: uPlot in a figure with title, reading and caption. Colours come from the stylesheet, so that it follows the theme; series
// are told apart by dashes and marks too. uPlot itself draws no more than a few points per pixel column (min, max, first, last).
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { Icon } from "../icons.tsx";
import { useSession } from "../session.ts";
import type { ChartSpec, Line } from "./chart_spec.ts";
import { smooth } from "./smooth.ts";

const DASHES: Record<Line["dash"], number[]> = { solid: [], dashed: [5, 4], dotted: [2, 3] };

/** A colour of the stylesheet as a canvas knows it, custom properties put in. */
export function resolveColor(element: Element, color: string): string {
  const probe = document.createElement("i");
  probe.style.color = color;
  element.append(probe);
  const resolved = getComputedStyle(probe).color;
  probe.remove();
  return resolved;
}

/** The same as rgb(), which every program that reads SVG knows. Browsers may resolve to lab() or oklch(). */
export function resolveRgb(element: Element, color: string): string {
  const context = document.createElement("canvas").getContext("2d");
  if (!context) throw new Error("The browser gives no canvas to find a colour with.");
  context.fillStyle = resolveColor(element, color);
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
  return `rgb(${red}, ${green}, ${blue})`;
}

function seriesOf(line: Line, target: Element, dots: boolean): uPlot.Series[] {
  const stroke = resolveColor(target, line.color);
  const dash = DASHES[line.dash];
  if (dots) return [{ label: line.name, stroke, width: 2, dash, points: { show: true, size: 6, fill: stroke }, spanGaps: true }];
  const raw = { label: `${line.name}, raw`, stroke, alpha: 0.35, width: 1, points: { show: false } };
  return [raw, { label: line.name, stroke, width: 2, dash, points: { show: false } }];
}

function columns({ x, lines, dots }: ChartSpec, smoothing: number): uPlot.AlignedData {
  const drawn = lines.flatMap(({ values }) => (dots ? [[...values]] : [[...values], smooth(values, smoothing)]));
  return [[...x], ...drawn];
}

/** Ascending places moved apart to at least `gap`, the last no lower than `bottom`. */
export function spread(places: readonly number[], gap: number, bottom: number): number[] {
  const moved = [...places];
  for (let i = 1; i < moved.length; i++) moved[i] = Math.max(moved[i], moved[i - 1] + gap);
  for (let i = moved.length - 1, lowest = bottom; i >= 0; i--, lowest = moved[i + 1] - gap) moved[i] = Math.min(moved[i], lowest);
  return moved;
}

/** Two letters at the end of each line that has them. */
function drawMarks(plot: uPlot, spec: ChartSpec, target: Element): void {
  const { ctx } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.font = `600 ${11 * ratio}px ${getComputedStyle(target).fontFamily}`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  const marked = spec.lines.flatMap((line) => {
    const value = line.values.at(-1);
    return line.mark && value !== null && value !== undefined ? [{ line, y: plot.valToPos(value, "y", true) }] : [];
  });
  marked.sort((a, b) => a.y - b.y);
  const places = spread(
    marked.map(({ y }) => y),
    12 * ratio,
    plot.bbox.top + plot.bbox.height,
  );
  for (const [index, { line }] of marked.entries()) {
    ctx.fillStyle = resolveColor(target, line.color);
    ctx.fillText(line.mark ?? "", plot.bbox.left + plot.bbox.width + 5 * ratio, places[index]);
  }
  ctx.restore();
}

function options(spec: ChartSpec, target: HTMLElement, onHover: (index: number | null) => void, latest: () => ChartSpec): uPlot.Options {
  const axis = {
    stroke: resolveColor(target, "var(--muted)"),
    font: `11px ${getComputedStyle(target).fontFamily}`,
    ticks: { show: false },
  };
  const grid = { stroke: resolveColor(target, "var(--line)"), width: 1 };
  const marked = spec.lines.some((line) => line.mark);
  return {
    width: Math.max(1, target.clientWidth),
    height: Math.max(1, target.clientHeight),
    padding: [8, marked ? 24 : 14, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    scales: { x: { time: false, range: (_, min, max) => (max > min ? [min, max] : [min, min + 1]) } },
    axes: [
      { ...axis, grid: { show: false }, size: 22, gap: 2, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] },
      { ...axis, grid, size: 44, gap: 4, space: 28, values: (_, ticks) => ticks.map(spec.formatAxis ?? axisText) },
    ],
    series: [{}, ...spec.lines.flatMap((line) => seriesOf(line, target, spec.dots))],
    hooks: {
      setCursor: [(plot) => onHover(plot.cursor.idx ?? null)],
      draw: [(plot) => marked && drawMarks(plot, latest(), target)],
    },
  };
}

/** Round numbers need no more digits than they have. */
function axisText(value: number): string {
  return String(Number(value.toPrecision(6))).replace("-", "−");
}

function Reading({ spec, hovered }: { spec: ChartSpec; hovered: number | null }) {
  const many = spec.lines.length > 2;
  return (
    <p class="reading">
      {spec.lines.map((line) => {
        const index = hovered ?? line.values.findLastIndex((value) => value !== null);
        const value = line.values[index];
        if (value === null || value === undefined) return null;
        return (
          <span key={line.name} title={line.name} class={line.dash} style={{ "--series": line.color }}>
            {!many && spec.lines.length > 1 && <i role="img" aria-label={line.name} />}
            {many && <abbr title={line.name}>{line.mark ?? line.name}</abbr>} {spec.format(value)}
          </span>
        );
      })}
      {hovered !== null && <span class="at">at {spec.x[hovered]}</span>}
    </p>
  );
}

function summary(spec: ChartSpec): string {
  const parts = spec.lines.map((line) => {
    const values = line.values.filter((value) => value !== null);
    return values.length === 0
      ? `${line.name}: no values`
      : `${line.name} from ${spec.format(values[0])} to ${spec.format(values[values.length - 1])}`;
  });
  return `${spec.title} over ${spec.x.length} points. ${parts.join("; ")}.`;
}

interface PlotProps {
  spec: ChartSpec;
  smoothing: number;
  onHover(index: number | null): void;
}

/** The plot itself, as large as its place. */
export function Plot({ spec, smoothing, onHover }: PlotProps) {
  const target = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(spec);
  latest.current = spec;
  const signature = spec.lines.map((line) => `${line.name} ${line.color} ${line.dash}`).join();

  useEffect(() => {
    const element = target.current;
    if (!element) return;
    const build = () => {
      plot.current?.destroy();
      const current = latest.current;
      plot.current = new uPlot(
        options(current, element, onHover, () => latest.current),
        columns(current, smoothing),
        element,
      );
    };
    build();
    const resize = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: element.clientHeight }));
    resize.observe(element);
    const theme = matchMedia("(prefers-color-scheme: dark)");
    theme.addEventListener("change", build);
    return () => {
      theme.removeEventListener("change", build);
      resize.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [onHover, signature, smoothing]);

  useEffect(() => plot.current?.setData(columns(spec, smoothing)), [spec]);

  return <div class="plot" ref={target} role="img" aria-label={summary(spec)} />;
}

/** A chart with its title, the value at the pointer or the last one, and what it means. */
export function Chart({ spec, explained = false }: { spec: ChartSpec; explained?: boolean }) {
  const session = useSession();
  const hovered = useSignal<number | null>(null);
  const onHover = useRef((index: number | null) => {
    hovered.value = index;
  });
  const filled = spec.x.length > 0 && spec.lines.length > 0;
  return (
    <figure class="chart" data-chart={spec.id}>
      <figcaption>
        <h3>{spec.title}</h3>
        {filled && <Reading spec={spec} hovered={hovered.value} />}
        {filled && (
          <button
            type="button"
            class="icon-button small"
            aria-label={`${spec.title}: enlarge, table, files`}
            title="Enlarge, see as table, save"
            onClick={() => (session.openChart.value = spec.id)}
          >
            <Icon name="more" />
          </button>
        )}
        <p class="caption" title={spec.meaning}>
          {explained ? spec.meaning : spec.caption}
        </p>
      </figcaption>
      {filled ? (
        <Plot spec={spec} smoothing={session.smoothing.value} onHover={onHover.current} />
      ) : (
        <p class="plot empty caption">{spec.empty}</p>
      )}
    </figure>
  );
}
