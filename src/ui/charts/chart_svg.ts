// A chart as an SVG file: made from its data, not from the screen, so that it is sharp at any size.
import type { ChartSpec, Line } from "./chart_spec.ts";
import { decimate } from "./decimate.ts";
import { smooth } from "./smooth.ts";

const SIZE = { width: 640, height: 360 };
const PLOT = { left: 64, right: 600, top: 56, bottom: 316 };
const DASHES: Record<Line["dash"], string> = { solid: "", dashed: "6 4", dotted: "2 3" };

interface Scale {
  min: number;
  max: number;
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

function scaleOf(values: readonly (number | null)[]): Scale {
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (value === null || !Number.isFinite(value)) continue;
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  if (min > max) return { min: 0, max: 1 };
  return min === max ? { min: min - 0.5, max: max + 0.5 } : { min, max };
}

/** About `count` round numbers within a scale. */
export function ticks({ min, max }: Scale, count: number): number[] {
  const rough = (max - min) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough) ?? 10 * power;
  const first = Math.ceil(min / step);
  return Array.from({ length: Math.floor(max / step + 1e-9) - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

/** Draws a chart. @param resolve gives a colour as SVG knows it, from one that may use the page's custom properties */
export function chartSvg(spec: ChartSpec, smoothing: number, resolve: (color: string) => string): string {
  const xScale = scaleOf(spec.x);
  const yScale = scaleOf(spec.lines.flatMap((line) => line.values));
  const toX = (x: number) => PLOT.left + ((x - xScale.min) / (xScale.max - xScale.min)) * (PLOT.right - PLOT.left);
  const toY = (y: number) => PLOT.bottom - ((y - yScale.min) / (yScale.max - yScale.min)) * (PLOT.bottom - PLOT.top);
  const ink = resolve("var(--ink)");
  const text = (x: number, y: number, anchor: string, content: string, more = "") =>
    `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="${ink}" ${more}>${escapeXml(content)}</text>`;

  const path = (values: readonly (number | null)[], color: string, dash: string, width: number, opacity: number) => {
    let pen = "M";
    let d = "";
    for (const index of decimate(values, PLOT.right - PLOT.left)) {
      const value = values[index];
      if (value === null || !Number.isFinite(value)) pen = "M";
      else {
        d += `${pen}${toX(spec.x[index]).toFixed(1)} ${toY(value).toFixed(1)}`;
        pen = "L";
      }
    }
    return `<path d="${d}" fill="none" stroke="${color}" stroke-width="${width}" stroke-dasharray="${dash}" opacity="${opacity}"/>`;
  };
  const lines = spec.lines.flatMap((line) => {
    const color = resolve(line.color);
    const dash = DASHES[line.dash];
    if (spec.dots) return [path(line.values, color, dash, 2, 1)];
    return [path(line.values, color, "", 1, 0.35), path(smooth(line.values, smoothing), color, dash, 2, 1)];
  });
  const legend = spec.lines.map((line, place) => {
    const x = PLOT.left + place * 92;
    const stroke = `stroke="${resolve(line.color)}" stroke-width="2" stroke-dasharray="${DASHES[line.dash]}"`;
    return `<line x1="${x}" x2="${x + 18}" y1="40" y2="40" ${stroke}/>${text(x + 22, 44, "start", line.name.slice(0, 12), 'font-size="11"')}`;
  });
  const axisText = spec.formatAxis ?? String;
  const grid = ticks(yScale, 5).map((value) => {
    const y = toY(value);
    const rule = `<line x1="${PLOT.left}" x2="${PLOT.right}" y1="${y.toFixed(1)}" y2="${y.toFixed(1)}" stroke="${ink}" opacity="0.15"/>`;
    return rule + text(PLOT.left - 8, y + 4, "end", axisText(value), 'font-size="12"');
  });
  const steps = ticks(xScale, 6).map((value) => text(toX(value), PLOT.bottom + 20, "middle", String(value), 'font-size="12"'));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIZE.width} ${SIZE.height}" width="${SIZE.width}" height="${SIZE.height}" font-family="sans-serif">`,
    `<rect width="100%" height="100%" fill="${resolve("var(--sheet)")}"/>`,
    text(PLOT.left, 22, "start", spec.title, 'font-size="15" font-weight="bold"'),
    ...legend,
    ...grid,
    ...steps,
    text((PLOT.left + PLOT.right) / 2, SIZE.height - 6, "middle", "optimiser step", 'font-size="12"'),
    ...lines,
    "</svg>\n",
  ].join("\n");
}
