// The command line's judge: the same sandbox as the page's, in a headless Chromium. Pyodide in Node could reach the host's shell.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { dirname, join } from "node:path";
import { type Browser, chromium, type Page } from "playwright";
import { chromiumFlags, findChromium } from "../../scripts/find_chromium.mjs";
import { judgePageFiles, repository } from "../../scripts/pyodide_assets.ts";
import type { Judge, JudgeOptions, JudgeRequest, Verdict } from "../python/judge.ts";
import type { Question, Told } from "../python/sandbox/judge_page.ts";
import type { ReferenceStore } from "../python/sandbox_judge.ts";

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

/** The judge's page, served to this machine only. */
export interface JudgeSite {
  readonly url: string;
  /** Keeps the interpreter's memory, ready to run, for the next command. */
  keepSnapshot(bytes: Uint8Array): Promise<void>;
  /** Outputs of reference solutions, kept for the next command too. */
  readonly references: ReferenceStore;
  close(): Promise<void>;
}

/**
 * Opens a judge in a headless Chromium.
 * @throws Error when no Chromium is found or Python does not start in it
 */
export async function openBrowserJudge(options: BrowserJudgeOptions = {}): Promise<Judge> {
  const executablePath = findChromium();
  if (!executablePath) throw new Error("Judging needs a Chromium and none was found: install one, or name it in ERRATA_CHROMIUM.");
  const args = [...chromiumFlags({ webgpu: false }), "--disable-sync"];
  // A signal is the command's to answer: it may still have something to judge, or to keep, before it closes the judge.
  const browserStart = chromium.launch({ executablePath, args, handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false });
  const [browser, site] = await Promise.all([browserStart, serveJudgePage()]);
  try {
    const page = await browser.newPage();
    page.on("crash", () => void browser.close()); // whoever waits for an answer is told
    const judge = new BrowserJudge(browser, page, site);
    await page.exposeFunction("tellVerdicts", (told: readonly Told[]) => judge.receive(told));
    await page.exposeFunction("keptReference", (key: string) => site.references.get(key));
    await page.exposeFunction("keepReference", (key: string, text: string) => site.references.put(key, text));
    await page.goto(site.url);
    const snapshot = await page.evaluate((workers) => window.judgePage.open(workers), options.workers ?? 2);
    if (snapshot) await site.keepSnapshot(Buffer.from(snapshot, "base64"));
    return judge;
  } catch (error) {
    await browser.close();
    await site.close();
    throw error;
  }
}

class BrowserJudge implements Judge {
  private readonly browser: Browser;
  private readonly page: Page;
  private readonly site: JudgeSite;
  private readonly calls = new Map<number, Call>();
  private nextCall = 1;
  private readonly questions = new QuestionBook();

  constructor(browser: Browser, page: Page, site: JudgeSite) {
    this.browser = browser;
    this.page = page;
    this.site = site;
  }

  async judge(requests: readonly JudgeRequest[], options: JudgeOptions = {}): Promise<Verdict[]> {
    options.signal?.throwIfAborted();
    const starts = Array.from({ length: Math.ceil(requests.length / CHUNK) }, (_, i) => i * CHUNK);
    const chunks = await Promise.all(starts.map((offset) => this.judgeChunk(requests.slice(offset, offset + CHUNK), offset, options)));
    return chunks.flat();
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.site.close();
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
      const asked = requests.map((request) => [this.questions.numberOf(request), request.program] as const);
      const learned = this.questions.untold();
      await this.page.evaluate((questions) => window.judgePage.learn(questions), learned);
      await this.page.evaluate(([to, of, how]) => window.judgePage.judge(to, of, how), [id, asked, isolation] as const);
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

/** Numbers problems, so that their tests cross to the browser once and not with every program. */
class QuestionBook {
  private readonly numbers = new WeakMap<object, Map<string, number>>();
  private next = 1;
  private learned: (readonly [number, Question])[] = [];

  numberOf({ program: _, ...question }: JudgeRequest): number {
    const { suite, tests, ...rest } = question;
    const shared = suite ?? tests;
    const known = this.numbers.get(shared) ?? new Map<string, number>();
    this.numbers.set(shared, known);
    const key = JSON.stringify(rest);
    const number = known.get(key) ?? this.next++;
    if (!known.has(key)) {
      known.set(key, number);
      this.learned.push([number, question]);
    }
    return number;
  }

  /** The problems that the browser has not been told of. */
  untold(): (readonly [number, Question])[] {
    const { learned } = this;
    this.learned = [];
    return learned;
  }
}

/** Where the interpreter's memory and what it worked out are kept between commands; the name tells the files it was made from. */
function cachePlace(files: Files): string {
  const hash = createHash("sha256");
  for (const { bytes } of files.values()) hash.update(bytes);
  return join(repository(), "node_modules", ".cache", "errata", `python-${hash.digest("hex").slice(0, 16)}`);
}

function referenceStore(folder: string): ReferenceStore {
  const place = (key: string) => join(folder, `${key}.json`);
  return {
    get: async (key) => (existsSync(place(key)) ? readFile(place(key), "utf8") : null),
    put: (key, text) => keepFile(place(key), text),
  };
}

async function keepFile(place: string, bytes: Uint8Array | string): Promise<void> {
  const part = `${place}.${process.pid}`;
  try {
    await mkdir(dirname(place), { recursive: true });
    await writeFile(part, bytes);
    await rename(part, place);
  } catch (error) {
    // A folder that cannot be written to costs the same work again at the next start, no more.
    await rm(part, { force: true });
    if (!(error instanceof Error && "code" in error)) throw error;
  }
}

type Files = Awaited<ReturnType<typeof judgePageFiles>>;

/** Builds the judge's page and serves it on a free port. */
export async function serveJudgePage(): Promise<JudgeSite> {
  const files = await judgePageFiles();
  const folder = cachePlace(files);
  const place = `${folder}.snapshot`;
  if (existsSync(place)) files.set("snapshot", { bytes: await readFile(place), mediaType: "application/octet-stream" });
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname.slice(1);
    const file = files.get(path === "" ? "index.html" : path);
    response.statusCode = file ? 200 : 404;
    if (file) response.setHeader("Content-Type", file.mediaType);
    if (path === "") response.setHeader("Content-Security-Policy", POLICY);
    response.end(file?.bytes);
  });
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${port}/`,
    keepSnapshot: (bytes) => keepFile(place, bytes),
    references: referenceStore(folder),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      if (typeof address === "object" && address) resolve(address.port);
    });
  });
}
