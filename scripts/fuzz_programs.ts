// Programs that nobody wrote, for the judge to survive.

/** A program with a few of its characters, words or lines changed; `draw` gives numbers from 0 to 1. */
export function mutated(program: string, draw: () => number): string {
  let text = program;
  for (let n = 1 + Math.floor(draw() * 4); n > 0; n--) {
    const at = Math.floor(draw() * text.length);
    const size = 1 + Math.floor(draw() * 8);
    const other = Math.floor(draw() * text.length);
    const ways = [
      () => text.slice(0, at) + text.slice(at + size),
      () => text.slice(0, at) + text.slice(other, other + size) + text.slice(at),
      () => text.slice(0, at) + String.fromCharCode(32 + Math.floor(draw() * 95)) + text.slice(at + 1),
      () => text.slice(0, at).concat(text.slice(at).replace(/\b\d+\b/, String(Math.floor(draw() * 1e6)))),
      () => {
        const lines = text.split("\n");
        lines.splice(Math.floor(draw() * lines.length), 1, lines[Math.floor(draw() * lines.length)] ?? "");
        return lines.join("\n");
      },
    ];
    text = ways[Math.floor(draw() * ways.length)]!();
  }
  return text;
}

/** Characters of all kinds, most of them bytes. */
export function randomText(draw: () => number): string {
  return String.fromCharCode(...Array.from({ length: Math.floor(draw() * 300) }, () => Math.floor(draw() * (draw() < 0.1 ? 65536 : 256))));
}
