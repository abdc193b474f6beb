// The rules of the house (README.md, "Where things are") as tests: who may import whom, what every kernel brings, what stands nowhere.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, posix, relative, resolve, sep } from "node:path";
import { describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");

/** The layers, and what each may import beside itself and the leaf files of src/. "python/judge" names one file of a layer. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  gpu: [],
  tasks: [],
  kernels: ["gpu"],
  model: ["gpu", "kernels"],
  train: ["gpu", "kernels", "model"],
  bench: ["gpu", "kernels", "model", "train"],
  python: ["tasks"],
  ap2o: ["gpu", "model", "train", "tasks", "python/judge"],
  storage: ["model", "train", "ap2o"],
  worker: ["gpu", "kernels", "model", "train", "bench", "ap2o", "tasks", "python", "storage"],
  ui: ["worker/protocol", "worker/client"],
  cli: ["gpu", "kernels", "model", "train", "bench", "ap2o", "tasks", "python", "storage", "worker"],
};

/** Files directly in src/: anyone may import them, and they import nothing but each other. */
const LEAVES = ["random", "bytes", "counts", "records", "unpack", "input_error", "tensorboard"];

/** Files below ui that run in the page, and what they need its document for. */
const PAGE_SIDE: Readonly<Record<string, string>> = {
  "src/python/sandbox/judge_page.ts": "the page in which the command line's headless Chromium judges: it puts the sandbox frame there",
};

type Files = ReadonlyMap<string, string>;

/** The files of a folder by their path from the repository's root, with / on every system. */
function readFiles(folder: string, pattern: RegExp): Files {
  const paths = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  const wanted = paths.filter((path) => pattern.test(path) && !path.includes("node_modules")).sort();
  return new Map(wanted.map((path) => [posix.join(folder, path.split(sep).join("/")), readFileSync(join(root, folder, path), "utf8")]));
}

const sources = readFiles("src", /\.tsx?$/);
const tests = readFiles("test", /\.tsx?$/);
const shaders = readFiles("shaders", /\.wgsl$/);

/** The code without its comments, which may speak of anything. */
const withoutComments = (code: string) => code.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[\s;,{}()])\/\/.*$/gm, "$1");

/** What a file imports, starts as a worker or loads later: as written. */
function importsOf(code: string): string[] {
  const patterns = [/\bfrom\s+"([^"]+)"/g, /\bimport\s+"([^"]+)"/g, /\bimport\(\s*"([^"]+)"/g, /\bnew URL\(\s*"([^"]+)"/g];
  return patterns.flatMap((pattern) => [...withoutComments(code).matchAll(pattern)].map((match) => match[1]!));
}

/** The files of src that a file of src imports. */
function sourcesImportedBy(path: string, code: string): string[] {
  const own = importsOf(code).filter((target) => target.startsWith("."));
  return own.map((target) => posix.join(posix.dirname(path), target)).filter((target) => target.startsWith("src/"));
}

/** "src/gpu/device.ts" is in layer gpu; a leaf file is a layer of its own. */
const layerOf = (path: string) => path.split("/")[1]!.replace(/\.tsx?$/, "");

function forbiddenImports(files: Files): string[] {
  return [...files].flatMap(([path, code]) => {
    const layer = layerOf(path);
    const allowed = [layer, ...LEAVES, ...(MAY_IMPORT[layer] ?? [])];
    return sourcesImportedBy(path, code)
      .filter((target) => !allowed.includes(layerOf(target)) && !allowed.includes(target.slice("src/".length).replace(/\.tsx?$/, "")))
      .map((target) => `${path} may not import ${target}`);
  });
}

/** A chain of imports that ends where it began, or null. */
function findCycle(files: Files): string[] | null {
  const done = new Set<string>();
  const visit = (path: string, chain: readonly string[]): string[] | null => {
    if (chain.includes(path)) return [...chain.slice(chain.indexOf(path)), path];
    if (done.has(path)) return null;
    for (const target of sourcesImportedBy(path, files.get(path) ?? "")) {
      const cycle = visit(target, [...chain, path]);
      if (cycle) return cycle;
    }
    done.add(path);
    return null;
  };
  for (const path of files.keys()) {
    const cycle = visit(path, []);
    if (cycle) return cycle;
  }
  return null;
}

/** The files whose code, comments apart, matches. */
const matching = (files: Files, pattern: RegExp) =>
  [...files].filter(([, code]) => pattern.test(withoutComments(code))).map(([path]) => path);

const withoutStrings = (files: Files): Files =>
  new Map([...files].map(([path, code]) => [path, withoutComments(code).replace(/"[^"\n]*"|`[^`]*`/g, '""')]));

const inLayer = (path: string, ...layers: string[]) => layers.includes(layerOf(path));

/** The names of a folder's own files, without endings. */
const namesIn = (files: Files, folder: string) =>
  [...files.keys()]
    .filter((path) => dirname(path) === folder)
    .map((path) => basename(path).replace(/\..*$/, ""))
    .sort();

describe("layers", () => {
  test("every folder of src is a layer and every file in src itself a known leaf", () => {
    const unknown = [...sources.keys()].filter((path) => !(layerOf(path) in MAY_IMPORT) && !LEAVES.includes(layerOf(path)));
    expect(unknown).toEqual([]);
  });

  test("imports go down the layers only", () => {
    expect(forbiddenImports(sources)).toEqual([]);
  });

  test("an import upwards, or of a part that is not open, is caught", () => {
    const files: Files = new Map([
      ["src/gpu/a.ts", 'import { b } from "../model/b.ts";'],
      ["src/ap2o/a.ts", 'import type { Judge } from "../python/judge.ts";\nimport { frame } from "../python/frame.ts";'],
      ["src/random.ts", 'import { b } from "./gpu/a.ts";'],
    ]);
    expect(forbiddenImports(files)).toEqual([
      "src/gpu/a.ts may not import src/model/b.ts",
      "src/ap2o/a.ts may not import src/python/frame.ts",
      "src/random.ts may not import src/gpu/a.ts",
    ]);
  });

  test("no file imports itself by way of others", () => {
    expect(findCycle(sources)).toBeNull();
  });

  test("a cycle is caught", () => {
    const files: Files = new Map([
      ["src/gpu/a.ts", 'import { b } from "./b.ts";'],
      ["src/gpu/b.ts", 'export const worker = new URL("./a.ts", import.meta.url);'],
    ]);
    expect(findCycle(files)).toEqual(["src/gpu/a.ts", "src/gpu/b.ts", "src/gpu/a.ts"]);
  });

  test("every import of our own names a file that is there, with its ending", () => {
    const missing = [...sources].flatMap(([path, code]) =>
      sourcesImportedBy(path, code).filter((target) => !existsSync(join(root, target.replace(/\?.*$/, "")))),
    );
    expect(missing).toEqual([]);
  });

  test("there are no barrel files: a thing is imported from where it is made", () => {
    expect(matching(sources, /^export\s+(type\s+)?(\*|\{[^}]*\})(\s+as\s+\w+)?\s+from\b/m)).toEqual([]);
    expect([...sources.keys()].filter((path) => /\/index\.tsx?$/.test(path))).toEqual([]);
  });
});

describe("walls", () => {
  test("only gpu/device.ts touches navigator.gpu and Dawn", () => {
    expect(matching(sources, /\bnavigator\s*(\?\.|\.)\s*gpu\b|["']webgpu["']/)).toEqual(["src/gpu/device.ts"]);
  });

  test("nothing below ui reaches for the page's document, but for what stands in for the page", () => {
    const page =
      /(?<![\w.])document\b(?!\s*[:?(])|\bglobalThis\.document\b|\bwindow\.(location|parent|top|open|postMessage|addEventListener)\b/;
    const reaching = matching(withoutStrings(sources), page); // "window" alone is a word of the method
    expect(reaching.filter((path) => !inLayer(path, "ui", "cli"))).toEqual(Object.keys(PAGE_SIDE).sort());
  });

  test("what also runs in the browser imports nothing of Node's", () => {
    expect(
      [...sources].filter(([path, code]) => !inLayer(path, "cli") && importsOf(code).some((target) => target.startsWith("node:"))),
    ).toEqual([]);
  });

  test("only the command line prints", () => {
    expect(matching(sources, /\bconsole\.(log|info|debug)\b/).filter((path) => !inLayer(path, "cli"))).toEqual([]);
  });

  test("shaders stand in shaders/, not in strings", () => {
    expect(matching(sources, /@compute\b|@workgroup_size\b|@binding\(/)).toEqual([]);
  });
});

describe("kernels", () => {
  const names = namesIn(shaders, "shaders");

  test("every shader has its launcher, reference and test under its own name, and none of these stands alone", () => {
    expect(names.length).toBeGreaterThan(0);
    expect(namesIn(sources, "src/kernels"), "src/kernels").toEqual(names);
    expect(namesIn(tests, "test/reference"), "test/reference").toEqual(names);
    expect(namesIn(tests, "test/kernels"), "test/kernels").toEqual(names);
  });

  test("a shader's entry point bears its name", () => {
    expect([...shaders].filter(([path, code]) => !new RegExp(`fn ${basename(path, ".wgsl")}\\(`).test(code)).map(([path]) => path)).toEqual(
      [],
    );
  });
});

describe("names", () => {
  const paths = [
    ...sources.keys(),
    ...tests.keys(),
    ...shaders.keys(),
    ...readFiles("scripts", /\.(mjs|ts)$/).keys(),
    ...readFiles("bin", /\.mjs$/).keys(),
  ];

  test("files are in snake_case", () => {
    expect(paths.filter((path) => !/^[a-z0-9_]+(\.worker|\.test|\.d)?\.(ts|tsx|wgsl|mjs)$/.test(basename(path)))).toEqual([]);
  });

  test("no file is a drawer or a second version", () => {
    expect(paths.filter((path) => /(^|_)(utils?|helpers?|managers?|misc|common|v\d+)(_|\.|$)/.test(basename(path)))).toEqual([]);
  });

  test("no test is left out", () => {
    const self = relative(root, import.meta.filename)
      .split(sep)
      .join("/");
    const leftOut = matching(tests, /\b(test|it|describe|gpuTest)\.(skip|only|todo|skipIf|runIf|fails)\b/).filter((path) => path !== self);
    expect(leftOut).toEqual([]);
  });
});

describe("README", () => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const tree = readme.slice(readme.indexOf("## Where things are")).split("```")[1] ?? "";

  /** The paths that the annotated tree names. */
  const pathsOf = (lines: readonly string[]) => {
    let folder = "";
    return lines.map((line) => {
      const [, indent = "", name = ""] = /^( *)(\S+)/.exec(line) ?? [];
      if (indent === "") folder = name;
      return indent === "" ? name : folder + name;
    });
  };
  const named = pathsOf(tree.trim().split("\n"));

  test("everything in its tree is there", () => {
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  test("every layer is in its tree", () => {
    expect(Object.keys(MAY_IMPORT).filter((layer) => !named.includes(`src/${layer}/`))).toEqual([]);
  });

  test("every file that its text names is there", () => {
    const files = [...readme.matchAll(/`((?:src|shaders|test|tools|scripts|docs|public)\/[\w./]+)`/g)].map((match) => match[1]!);
    expect(files.length).toBeGreaterThan(5);
    expect(files.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});
