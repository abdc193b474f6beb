import { expect, test } from "vitest";
import { readShared, restoreMemory, shareFile, shareSnapshot } from "../../src/python/sandbox/shared_bytes.ts";

const PAGE = 65536;

/** A snapshot as Pyodide makes it: a header of 16 bytes that says where the memory begins, and a memory of these pages. */
function snapshotOf(pages: readonly (readonly number[])[]): ArrayBuffer {
  const snapshot = new Uint8Array(16 + PAGE * pages.length);
  new DataView(snapshot.buffer).setUint32(4, 16, true);
  for (const [i, bytes] of pages.entries()) snapshot.set(bytes, 16 + PAGE * i);
  return snapshot.buffer;
}

const PAGES = [[1, 2, 3], [0, 0, 0, 9], [], [], [0, 7], []];

test("a memory is written as it was, page by page, and its header is kept", async () => {
  const snapshot = snapshotOf(PAGES);
  const shared = await shareSnapshot(snapshot);
  const memory = new WebAssembly.Memory({ initial: PAGES.length });
  new Uint8Array(memory.buffer).fill(5, 0, PAGE); // what a new interpreter has there
  await restoreMemory(shared!, memory, true);
  expect(Buffer.from(memory.buffer).equals(Buffer.from(snapshot, 16))).toBe(true);
  expect(Buffer.from(shared!.head).equals(Buffer.from(snapshot, 0, 16))).toBe(true);
});

test("pages of zeros are left out", async () => {
  expect((await shareSnapshot(snapshotOf(PAGES)))!.zeros).toEqual([
    [2 * PAGE, 4 * PAGE],
    [5 * PAGE, 6 * PAGE],
  ]);
});

test("a memory that is not zero where the snapshot is: refused when looked at", async () => {
  const shared = await shareSnapshot(snapshotOf(PAGES));
  const memory = new WebAssembly.Memory({ initial: PAGES.length });
  new Uint8Array(memory.buffer)[4 * PAGE - 1] = 1;
  await expect(restoreMemory(shared!, memory, true)).rejects.toThrow("not what its snapshot was made for");
});

test.each([0, 7, 100, 16 + PAGE * 6 - 1])("a snapshot cut off at byte %i is none", async (length) => {
  expect(await shareSnapshot(snapshotOf(PAGES).slice(0, length))).toBeNull();
});

test("a memory of many pages: places and counts of more than one byte", async () => {
  const pages = Array.from({ length: 600 }, (_, i) => (i % 2 === 0 ? [i % 251, 1] : []));
  const snapshot = snapshotOf(pages);
  const memory = new WebAssembly.Memory({ initial: pages.length });
  await restoreMemory((await shareSnapshot(snapshot))!, memory, true);
  expect(Buffer.from(memory.buffer).equals(Buffer.from(snapshot, 16))).toBe(true);
});

test("a file comes back as it was", async () => {
  const file = Uint8Array.from({ length: 70_000 }, (_, i) => i % 256);
  const shared = await shareFile(file.buffer);
  expect(shared.size).toBe(70_000);
  expect(Buffer.from(readShared(shared)).equals(Buffer.from(file))).toBe(true);
});
