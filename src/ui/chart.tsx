// One small chart: uPlot in a figure with title, reading and caption. Colours come from the stylesheet, so that it follows
// the theme; series are told apart by dashes too.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { smooth } from "./smooth.ts";

export interface Line {
  name: string;
  /** Custom property that holds the colour. */
  color: "--right" | "--wrong" | "--ink-2";
  dashed: boolean;
  /** One value per x, null where there is none. */
  values: readonly (number | null)[];
}

export interface ChartProps {
  title: string;
  /** What the curve means and what to watch for, in a line. */
  caption: string;
  x: readonly number[];
  lines: readonly Line[];
  format(value: number): string;
  /** Text of the y axis, where it differs. */
  formatAxis?(value: number): string;
  /** Points that are joined, instead of a raw curve with its average over it. */
  dots?: boolean;
  /** Shown in place of an empty plot. */
  empty: string;
  /** A fixed y range, where the quantity has one. */
  range?: readonly [number, number];
}

/** Keeps this share of the past in the smoothed curve. */
const SMOOTHING = 0.8;

function color(element: Element, name: string): string {
  return getComputedStyle(element).getPropertyValue(name).trim();
}

function seriesOf(line: Line, target: Element, dots: boolean): uPlot.Series[] {
  const stroke = color(target, line.color);
  const dash = line.dashed ? { dash: [5, 4] } : {};
  if (dots) return [{ label: line.name, stroke, width: 2, points: { show: true, size: 7, fill: stroke }, spanGaps: true, ...dash }];
  const raw = { label: `${line.name}, raw`, stroke, alpha: 0.35, width: 1, points: { show: false } };
  return [raw, { label: line.name, stroke, width: 2, points: { show: false }, ...dash }];
}

function columns(props: ChartProps): uPlot.AlignedData {
  const drawn = props.lines.flatMap((line) => (props.dots ? [[...line.values]] : [[...line.values], smooth(line.values, SMOOTHING)]));
  return [[...props.x], ...drawn];
}

function options(props: ChartProps, target: HTMLElement, onHover: (index: number | null) => void): uPlot.Options {
  const axis = { stroke: color(target, "--muted"), font: `11px ${getComputedStyle(target).fontFamily}`, ticks: { show: false } };
  const grid = { stroke: color(target, "--line"), width: 1 };
  return {
    width: Math.max(1, target.clientWidth),
    height: Math.max(1, target.clientHeight),
    padding: [8, 14, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    scales: {
      x: { time: false, range: (_, min, max) => (max > min ? [min, max] : [min, min + 1]) },
      y: props.range ? { range: [...props.range] } : {},
    },
    axes: [
      { ...axis, grid: { show: false }, size: 22, gap: 2, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] },
      { ...axis, grid, size: 44, gap: 4, space: 28, values: (_, ticks) => ticks.map(props.formatAxis ?? axisText) },
    ],
    series: [{}, ...props.lines.flatMap((line) => seriesOf(line, target, props.dots ?? false))],
    hooks: { setCursor: [(plot) => onHover(plot.cursor.idx ?? null)] },
  };
}

/** Round numbers need no more digits than they have. */
function axisText(value: number): string {
  return String(Number(value.toPrecision(6))).replace("-", "−");
}

function lastIndex(values: readonly (number | null)[]): number {
  return values.findLastIndex((value) => value !== null);
}

function Reading({ props, hovered }: { props: ChartProps; hovered: number | null }) {
  return (
    <p class="reading">
      {props.lines.map((line) => {
        const index = hovered ?? lastIndex(line.values);
        const value = line.values[index];
        if (value === null || value === undefined) return null;
        return (
          <span key={line.name} title={line.name} class={line.dashed ? "dashed" : "solid"} style={{ "--series": `var(${line.color})` }}>
            {props.lines.length > 1 && <i role="img" aria-label={line.name} />}
            {props.format(value)}
          </span>
        );
      })}
      {hovered !== null && <span class="at">at {props.x[hovered]}</span>}
    </p>
  );
}

function summary(props: ChartProps): string {
  const parts = props.lines.map((line) => {
    const values = line.values.filter((value) => value !== null);
    return values.length === 0
      ? `${line.name}: no values`
      : `${line.name} from ${props.format(values[0])} to ${props.format(values[values.length - 1])}`;
  });
  return `${props.title} over ${props.x.length} points. ${parts.join("; ")}.`;
}

function Plot({ props, onHover }: { props: ChartProps; onHover(index: number | null): void }) {
  const target = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;

  useEffect(() => {
    const element = target.current;
    if (!element) return;
    const build = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(latest.current, element, onHover), columns(latest.current), element);
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
    };
  }, [onHover]);

  useEffect(() => plot.current?.setData(columns(props)), [props.x.length]);

  return <div class="plot" ref={target} role="img" aria-label={summary(props)} />;
}

/** A chart with its title, the value at the pointer or the last one, and what it means. */
export function Chart(props: ChartProps) {
  const hovered = useSignal<number | null>(null);
  const onHover = useRef((index: number | null) => {
    hovered.value = index;
  });
  const filled = props.x.length > 0 && props.lines.length > 0;
  return (
    <figure class="chart">
      <figcaption>
        <h3>{props.title}</h3>
        {filled && <Reading props={props} hovered={hovered.value} />}
        <p class="caption">{props.caption}</p>
      </figcaption>
      {filled ? <Plot props={props} onHover={onHover.current} /> : <p class="plot empty caption">{props.empty}</p>}
    </figure>
  );
}
