/** Every shader's text by name. The only file that knows how shaders reach the program. */
const files = import.meta.glob<string>("/shaders/*.wgsl", { query: "?raw", import: "default", eager: true });

export const shaders: ReadonlyMap<string, string> = new Map(
  Object.entries(files).map(([path, code]) => [path.slice("/shaders/".length, -".wgsl".length), code]),
);
