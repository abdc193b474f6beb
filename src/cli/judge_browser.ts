// The command line's judge: the same sandbox as the page's, in a headless Chromium. Pyodide in Node could reach the host's shell.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Browser, chromium, type Page } from "playwright";
import { chromiumFlags, findChromium } from "../../scripts/find_chromium.mjs";
import { judgePageFiles } from "../../scripts/pyodide_assets.ts";
import type { Judge, JudgeOptions, JudgeRequest, Verdict } from "../python/judge.ts";
import type { Told } from "../python/sandbox/judge_page.ts";

const CHUNK = 1000; // requests in one message to the browser
const POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; frame-src 'self'";

export interface BrowserJudgeOptions {
  /** Interpreters that run answers. Default 2. */
  readonly workers?: number;
}

/** One chunk on its way. */
interface Call {
  readonly verdicts: Verdict[];
  readonly offset: number;
  readonly onVerdict: JudgeOptions["onVerdict"];
}

/**
 * Opens a judge in a headless Chromium.
 * @throws Error when no Chromium is found or Python does not start in it
 */
export async function openBrowserJudge(options: BrowserJudgeOptions = {}): Promise<Judge> {
  const executablePath = findChromium();
  if (!executablePath) throw new Error("Judging needs a Chromium and none was found: install one, or name it in ERRATA_CHROMIUM.");
  // A page that nobody looks at would run at low priority, and its answers into their time limits while the model writes the next ones.
  const args = [...chromiumFlags({ webgpu: false }), "--disable-sync", "--disable-renderer-backgrounding"];
  // A signal is the command's to answer: it may still have something to judge, or to keep, before it closes the judge.
  const browserStart = chromium.launch({ executablePath, args, handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false });
  const server = await serve(await judgePageFiles());
  const browser = await browserStart;
  try {
    const page = await browser.newPage();
    const judge = new BrowserJudge(browser, page, server);
    await page.exposeFunction("tellVerdicts", (told: readonly Told[]) => judge.receive(told));
    await page.goto(`http://127.0.0.1:${portOf(server)}/`);
    await page.evaluate((workers) => window.judgePage.open(workers), options.workers ?? 2);
    return judge;
  } catch (error) {
    await browser.close();
    server.close();
    throw error;
  }
}

class BrowserJudge implements Judge {
  private readonly browser: Browser;
  private readonly page: Page;
  private readonly server: Server;
  private readonly calls = new Map<number, Call>();
  private nextCall = 1;

  constructor(browser: Browser, page: Page, server: Server) {
    this.browser = browser;
    this.page = page;
    this.server = server;
  }

  async judge(requests: readonly JudgeRequest[], options: JudgeOptions = {}): Promise<Verdict[]> {
    options.signal?.throwIfAborted();
    const starts = Array.from({ length: Math.ceil(requests.length / CHUNK) }, (_, i) => i * CHUNK);
    const chunks = await Promise.all(starts.map((offset) => this.judgeChunk(requests.slice(offset, offset + CHUNK), offset, options)));
    return chunks.flat();
  }

  async close(): Promise<void> {
    await this.browser.close();
    this.server.close();
  }

  receive(told: readonly Told[]): void {
    for (const [id, index, verdict] of told) {
      const call = this.calls.get(id);
      if (!call) continue;
      call.verdicts[index] = verdict;
      call.onVerdict?.(call.offset + index, verdict);
    }
  }

  private async judgeChunk(requests: readonly JudgeRequest[], offset: number, options: JudgeOptions): Promise<Verdict[]> {
    const call: Call = { verdicts: [], offset, onVerdict: options.onVerdict };
    const id = this.nextCall++;
    this.calls.set(id, call);
    const abort = () => this.page.evaluate((cancelled) => window.judgePage.cancel(cancelled), id);
    options.signal?.addEventListener("abort", abort, { once: true });
    try {
      const isolation = options.isolation ?? "batch";
      await this.page.evaluate(([to, of, how]) => window.judgePage.judge(to, of, how), [id, requests, isolation] as const);
    } catch (error) {
      options.signal?.throwIfAborted();
      throw error;
    } finally {
      options.signal?.removeEventListener("abort", abort);
      this.calls.delete(id);
    }
    return call.verdicts;
  }
}

type Files = Awaited<ReturnType<typeof judgePageFiles>>;

/** Serves the page's files to this machine only. */
function serve(files: Files): Promise<Server> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname.slice(1);
    const file = files.get(path === "" ? "index.html" : path);
    response.statusCode = file ? 200 : 404;
    if (file) response.setHeader("Content-Type", file.mediaType);
    if (path === "") response.setHeader("Content-Security-Policy", POLICY);
    response.end(file?.bytes);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
