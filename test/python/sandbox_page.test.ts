// Where the sandbox's files come from, on a page that is played.
import { afterEach, expect, test, vi } from "vitest";
import { createSandbox } from "../../src/python/sandbox_page.ts";

afterEach(() => vi.unstubAllGlobals());

/** A page whose frames open at once. */
function fakePage() {
  const posted = vi.fn();
  const frame = { style: {}, setAttribute: () => {}, onload: () => {}, contentWindow: { postMessage: posted } };
  const page = { createElement: () => frame, body: { append: () => queueMicrotask(() => frame.onload()) } };
  return { page: page as unknown as Document, posted };
}

/** A browser without network: its cache has these, and gives them to who asks it not to look whether they are the newest. */
function offline(cached: readonly string[]) {
  vi.stubGlobal("navigator", { hardwareConcurrency: 2 });
  vi.stubGlobal("fetch", async (url: URL, init?: RequestInit) => {
    const name = url.pathname.split("/").at(-1) ?? "";
    if (init?.cache !== "force-cache" || !cached.includes(name)) throw new TypeError("Failed to fetch");
    return new Response(name);
  });
}

const FILES = ["pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json"];

test("offline it opens from what the browser has", async () => {
  const { page, posted } = fakePage();
  offline(FILES);
  await createSandbox(page, "http://localhost/");
  expect(Object.keys(posted.mock.calls[0]?.[0].files)).toEqual(FILES);
});

test("what the browser has not is named in a sentence", async () => {
  offline(FILES.slice(1));
  await expect(createSandbox(fakePage().page, "http://localhost/")).rejects.toThrow(
    "/sandbox/pyodide.mjs cannot be reached: check the connection, then try again.",
  );
});
