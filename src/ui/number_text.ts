// Numbers as people read them.

/** "62.5 %" from 0.625. */
export function percentText(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** "+8.3" from 0.083: a difference of two shares, in points. */
export function pointsText(difference: number): string {
  const points = (difference * 100).toFixed(1);
  return difference >= 0 ? `+${points}` : points.replace("-", "−");
}

/** "8 s", "2 min 05 s", "1 h 10 min". */
export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} min`;
}

/** "42 /s", or "18 /min" where it is slower than one a second. */
export function rateText(perSecond: number): string {
  if (perSecond >= 10) return `${Math.round(perSecond)} /s`;
  if (perSecond >= 1) return `${perSecond.toFixed(1)} /s`;
  return `${Math.round(perSecond * 60)} /min`;
}

/** A metric with three significant digits, minus sign set. */
export function metricText(value: number): string {
  if (!Number.isFinite(value)) return "not a number";
  const size = Math.abs(value);
  const text =
    size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : size >= 0.1 || size === 0 ? value.toFixed(2) : value.toPrecision(2);
  return text.replace("-", "−");
}

/** "1.28 M" from 1,279,000, "871 K" from 870,528. */
export function countText(count: number): string {
  if (count >= 1e9) return `${(count / 1e9).toFixed(2)} B`;
  if (count >= 1e6) return `${(count / 1e6).toFixed(2)} M`;
  if (count >= 1e4) return `${Math.round(count / 1e3)} K`;
  return count.toLocaleString("en-US");
}

/** "128 MiB" from 134217728. */
export function bytesText(bytes: number): string {
  if (bytes >= 2 ** 30) return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  if (bytes >= 2 ** 20) return `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MiB`;
  return `${Math.ceil(bytes / 2 ** 10)} KiB`;
}
