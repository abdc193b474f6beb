// References that outlive a training: kept to the bit, found under their key alone, and whole or not there.
import { expect, test } from "vitest";
import { openReferences } from "../../src/storage/reference_file.ts";
import { MemoryFolder } from "../faults/memory_folder.ts";

const logps = (...chosen: number[]) => ({ chosen: Float32Array.from(chosen), rejected: Float32Array.of(-1 / 3) });

async function withTwo(): Promise<MemoryFolder> {
  const folder = new MemoryFolder();
  const store = await openReferences(folder, "references");
  await store.keep("a", logps(-0.1, -2));
  await store.keep("b", logps());
  await store.close();
  return folder;
}

test("opened again, it gives what was kept, and goes on", async () => {
  const folder = await withTwo();
  const second = await openReferences(folder, "references");
  expect([second.get("a"), second.get("b"), second.get("c")]).toEqual([logps(-0.1, -2), logps(), undefined]);
  await second.keep("c", logps(-3));
  await second.close();
  const third = await openReferences(folder, "references");
  expect([third.get("a"), third.get("c")]).toEqual([logps(-0.1, -2), logps(-3)]);
});

test("torn anywhere: what is whole is found, the rest is not, and it goes on", async () => {
  const whole = (await withTwo()).files.get("references")!;
  for (let length = 0; length < whole.length; length++) {
    const folder = new MemoryFolder();
    folder.files.set("references", whole.slice(0, length));
    const store = await openReferences(folder, "references");
    expect(store.get("a") ?? logps(-0.1, -2)).toEqual(logps(-0.1, -2));
    expect(store.get("b")).toBeUndefined();
    await store.keep("b", logps());
    await store.close();
    expect((await openReferences(folder, "references")).get("b")).toEqual(logps());
  }
});
