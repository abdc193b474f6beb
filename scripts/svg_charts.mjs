// Charts as SVG texts, for documents: lines and grouped bars. Plain shapes and system fonts, readable on white and in grey.

const WIDTH = 760;
const PALETTE = [
  "#0072b2",
  "#d55e00",
  "#009e73",
  "#cc79a7",
  "#e69f00",
  "#56b4e9",
  "#6a3d9a",
  "#7f7f7f",
  "#000000",
  "#b15928",
  "#a6761d",
  "#1b9e77",
];
const DASHES = ["", "6 3", "2 3", "8 3 2 3"];

/** @param {unknown} text */
const escaped = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");

/** @param {number} value */
const short = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : Number(value.toPrecision(3)).toString());

/**
 * Round numbers from `low` to `high`, about five.
 * @param {number} low
 * @param {number} high
 */
export function ticks(low, high) {
  const rough = (high - low) / 5 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const values = [];
  for (let i = Math.ceil(low / step); i * step <= high + step * 1e-9; i++) values.push(Number((i * step).toPrecision(12)));
  return values;
}

/**
 * @param {{ title: string, height: number, parts: string[] }} chart
 */
function document({ title, height, parts }) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(title)}" font-family="system-ui, sans-serif" font-size="12">
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
<text x="12" y="20" font-size="14" font-weight="600">${escaped(title)}</text>
${parts.join("\n")}
</svg>
`;
}

/**
 * @param {string[]} names
 * @param {number} y
 * @param {(i: number) => string} mark an 18 pixels wide sign at x 0
 */
function legend(names, y, mark) {
  let x = 12;
  let row = 0;
  const parts = names.map((name, i) => {
    const width = 36 + 7.2 * name.length;
    if (x + width > WIDTH) [x, row] = [12, row + 1];
    const part = `<g transform="translate(${x} ${y + 18 * row})">${mark(i)}<text x="23" y="4">${escaped(name)}</text></g>`;
    x += width;
    return part;
  });
  return { parts, height: 18 * (row + 1) };
}

/**
 * Axes of a plot, and functions from values to pixels.
 * @param {{ left: number, top: number, width: number, height: number, x: [number, number], y: [number, number], xLabel: string, yLabel: string, xTicks?: boolean }} frame
 */
function axes({ left, top, width, height, x, y, xLabel, yLabel, xTicks = true }) {
  const atX = (/** @type {number} */ value) => left + ((value - x[0]) / (x[1] - x[0] || 1)) * width;
  const atY = (/** @type {number} */ value) => top + height - ((value - y[0]) / (y[1] - y[0] || 1)) * height;
  const parts = ticks(...y).map(
    (value) =>
      `<line x1="${left}" x2="${left + width}" y1="${atY(value).toFixed(1)}" y2="${atY(value).toFixed(1)}" stroke="#ddd"/><text x="${left - 6}" y="${(atY(value) + 4).toFixed(1)}" text-anchor="end">${short(value)}</text>`,
  );
  if (xTicks)
    parts.push(
      ...ticks(...x).map(
        (value) => `<text x="${atX(value).toFixed(1)}" y="${top + height + 16}" text-anchor="middle">${short(value)}</text>`,
      ),
    );
  parts.push(`<path d="M${left} ${top}V${top + height}H${left + width}" fill="none" stroke="#333"/>`);
  parts.push(`<text x="${left + width / 2}" y="${top + height + 32}" text-anchor="middle">${escaped(xLabel)}</text>`);
  parts.push(`<text transform="translate(${left - 40} ${top + height / 2}) rotate(-90)" text-anchor="middle">${escaped(yLabel)}</text>`);
  return { parts, atX, atY };
}

/**
 * @typedef {{ name: string, points: [x: number, y: number][] }} Line
 */

/**
 * One or more panels of lines that share their names, colours and scales.
 * @param {{ title: string, xLabel: string, yLabel: string, panels: { name: string, lines: Line[] }[], columns?: number, zero?: boolean }} chart
 */
export function lineChart({ title, xLabel, yLabel, panels, columns = 1, zero = true }) {
  const all = panels.flatMap(({ lines }) => lines.flatMap(({ points }) => points)).filter(([, y]) => Number.isFinite(y));
  const range = (/** @type {number[]} */ values, /** @type {boolean} */ from0) =>
    /** @type {[number, number]} */ ([Math.min(...values, ...(from0 ? [0] : [])), Math.max(...values, ...(from0 ? [0] : []))]);
  const x = range(
    all.map((point) => point[0]),
    false,
  );
  const y = range(
    all.map((point) => point[1]),
    zero,
  );
  const names = [...new Set(panels.flatMap(({ lines }) => lines.map(({ name }) => name)))];
  const styleOf = (/** @type {string} */ name) => {
    const i = names.indexOf(name);
    return `stroke="${PALETTE[i % PALETTE.length]}" stroke-dasharray="${DASHES[Math.floor(i / PALETTE.length) % DASHES.length]}" fill="none" stroke-width="2"`;
  };
  const key = legend(names, 38, (i) => `<line x2="18" ${styleOf(names[i] ?? "")}/>`);
  const panelWidth = WIDTH / columns;
  const panelHeight = columns === 1 ? 320 : 260;
  const parts = [...key.parts];
  panels.forEach((panel, p) => {
    const left = 62 + (p % columns) * panelWidth;
    const top = 40 + key.height + 22 + Math.floor(p / columns) * panelHeight;
    const frame = axes({ left, top, width: panelWidth - 80, height: panelHeight - 76, x, y, xLabel, yLabel });
    parts.push(...frame.parts, `<text x="${left}" y="${top - 8}" font-weight="600">${escaped(panel.name)}</text>`);
    for (const { name, points } of panel.lines) {
      const path = points
        .filter(([, value]) => Number.isFinite(value))
        .map(([px, py], i) => `${i === 0 ? "M" : "L"}${frame.atX(px).toFixed(1)} ${frame.atY(py).toFixed(1)}`);
      parts.push(`<path d="${path.join("")}" ${styleOf(name)}><title>${escaped(name)}</title></path>`);
    }
  });
  return document({ title, height: 40 + key.height + 22 + Math.ceil(panels.length / columns) * panelHeight, parts });
}

/**
 * Groups of bars; a value above `clip` is drawn up to it, with its number above.
 * @param {{ title: string, yLabel: string, groups: string[], series: { name: string, values: number[] }[], clip?: number, numbers?: boolean }} chart
 */
export function barChart({ title, yLabel, groups, series, clip = Number.POSITIVE_INFINITY, numbers = false }) {
  const key =
    series.length > 1
      ? legend(
          series.map(({ name }) => name),
          38,
          (i) => `<rect width="14" height="10" y="-5" fill="${PALETTE[i % PALETTE.length]}"/>`,
        )
      : { parts: [], height: 0 };
  const highest = Math.min(clip, Math.max(...series.flatMap(({ values }) => values), 1e-9));
  const [left, top, width, height] = [62, 50 + key.height, WIDTH - 80, 260];
  const frame = axes({ left, top, width, height, x: [0, groups.length], y: [0, highest * 1.05], xLabel: "", yLabel, xTicks: false });
  const parts = [...key.parts, ...frame.parts];
  const slot = width / groups.length;
  const bar = (slot * 0.86) / series.length;
  groups.forEach((group, g) => {
    const x = left + g * slot + slot / 2;
    parts.push(`<text transform="translate(${x.toFixed(1)} ${top + height + 12}) rotate(-28)" text-anchor="end">${escaped(group)}</text>`);
    series.forEach(({ name, values }, s) => {
      const value = values[g] ?? 0;
      const y = frame.atY(Math.min(value, highest));
      const at = left + g * slot + slot * 0.07 + s * bar;
      parts.push(
        `<rect x="${at.toFixed(1)}" y="${y.toFixed(1)}" width="${(bar * 0.94).toFixed(1)}" height="${(top + height - y).toFixed(1)}" fill="${PALETTE[s % PALETTE.length]}"><title>${escaped(`${group}, ${name}: ${short(value)}`)}</title></rect>`,
      );
      if (numbers || value > clip)
        parts.push(
          `<text x="${(at + bar * 0.47).toFixed(1)}" y="${(y - 4).toFixed(1)}" text-anchor="middle" font-size="10">${short(value)}</text>`,
        );
    });
  });
  return document({ title, height: top + height + 84, parts });
}
