// Vite plugin: puts the sandbox (its frame, with the interpreter worker inside, and Pyodide's files from node_modules) beside the
// built page under sandbox/, and serves the same files in development.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "vite";
import { PYODIDE_FILES } from "../src/python/sandbox_protocol.ts";

const MEDIA_TYPES: Record<string, string> = {
  html: "text/html; charset=utf-8",
  mjs: "text/javascript",
  wasm: "application/wasm",
  zip: "application/zip",
  json: "application/json",
};

/** Where this checkout lies, also when this file runs from a bundle inside it. */
export function repository(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!isRepository(folder)) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error("The sources of the Python sandbox are not above this file: run Errata from its checkout.");
    folder = parent;
  }
  return folder;
}

function isRepository(folder: string): boolean {
  try {
    return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).name === "errata";
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}

/** Bundles one entry into the text of a classic script. */
async function bundle(entry: string, plugins: Plugin[] = []): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: "error",
    plugins,
    build: { write: false, target: "es2022", minify: true, lib: { entry, formats: ["iife"], name: "sandbox", fileName: "sandbox" } },
  });
  const output = [result].flat()[0];
  if (!output || !("output" in output)) throw new Error(`Vite gave no bundle for ${entry}.`);
  return output.output[0].code;
}

/** The worker's text as a module that the frame imports. */
function workerModule(workerCode: string): Plugin {
  const id = "virtual:sandbox-worker";
  return {
    name: "errata:sandbox-worker",
    resolveId: (source) => (source === id ? `\0${id}` : null),
    load: (source) => (source === `\0${id}` ? `export default ${JSON.stringify(workerCode)}` : null),
  };
}

/** The frame's page: its policy lets in this one script, and lets nothing out. */
async function frameHtml(root: string): Promise<string> {
  const sources = join(root, "src", "python", "sandbox");
  const workerCode = await bundle(join(sources, "worker.ts"));
  const bundled = await bundle(join(sources, "frame.ts"), [workerModule(workerCode)]);
  const script = bundled.replace(/<\/(script)/gi, "<\\/$1").replace(/<!--/g, "<\\!--");
  const hash = createHash("sha256").update(script).digest("base64");
  const policy = `default-src 'none'; script-src 'sha256-${hash}' blob: 'wasm-unsafe-eval'; worker-src blob:; connect-src 'none'; form-action 'none'; base-uri 'none'`;
  return `<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}"><title>Errata sandbox</title><script>${script}</script>\n`;
}

/** All files under sandbox/, by name. */
export async function sandboxFiles(): Promise<Map<string, { bytes: Uint8Array; mediaType: string }>> {
  const root = repository();
  const files = new Map<string, { bytes: Uint8Array; mediaType: string }>();
  const add = (name: string, bytes: Uint8Array) =>
    files.set(name, { bytes, mediaType: MEDIA_TYPES[name.split(".").pop() ?? ""] ?? "application/octet-stream" });
  add("frame.html", Buffer.from(await frameHtml(root)));
  for (const name of PYODIDE_FILES) add(name, readFileSync(join(root, "node_modules", "pyodide", name)));
  return files;
}

/** A whole site for the command line's judge: index.html, its script and sandbox/, by path. */
export async function judgePageFiles(): Promise<Map<string, { bytes: Uint8Array; mediaType: string }>> {
  const files = new Map([...(await sandboxFiles())].map(([name, file]) => [`sandbox/${name}`, file]));
  const script = await bundle(join(repository(), "src", "python", "sandbox", "judge_page.ts"));
  files.set("judge_page.mjs", { bytes: Buffer.from(script), mediaType: "text/javascript" });
  const html = '<!doctype html><meta charset="utf-8"><title>Errata judge</title><body><script src="judge_page.mjs"></script>';
  files.set("index.html", { bytes: Buffer.from(html), mediaType: "text/html; charset=utf-8" });
  return files;
}

export function pyodideAssets(): Plugin {
  return {
    name: "errata:pyodide-assets",
    async generateBundle() {
      for (const [name, { bytes }] of await sandboxFiles()) this.emitFile({ type: "asset", fileName: `sandbox/${name}`, source: bytes });
    },
    configureServer(server) {
      server.middlewares.use(async (request, response, next) => {
        const name = /\/sandbox\/([\w.-]+)(?:\?|$)/.exec(request.url ?? "")?.[1];
        const file = name ? (await sandboxFiles()).get(name) : undefined;
        if (!file) return next();
        response.setHeader("Content-Type", file.mediaType);
        response.end(file.bytes);
      });
    },
  };
}
