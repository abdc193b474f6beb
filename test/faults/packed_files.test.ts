// Every bit of a zip, a gzip and of zlib data turned, every length cut: refused, or the same content. And files that claim too much.
import { gzipSync, zipSync, zlibSync } from "fflate";
import { describe, expect, test } from "vitest";
import { crc32 } from "../../src/bytes.ts";
import { InputError } from "../../src/input_error.ts";
import { readProblems } from "../../src/tasks/formats.ts";
import { unpackText } from "../../src/tasks/pickled_string.ts";
import { unzip } from "../../src/ui/recorded/unzip.ts";
import { gunzip, inflated, unzlib } from "../../src/unpack.ts";

const text = (value: string) => new TextEncoder().encode(value);
const MOST = 2 ** 20;
const content = text(Array.from({ length: 12 }, (_, step) => `{"step":${step},"loss":0.69}`).join("\n"));
const FILES = { "metrics.jsonl": content, "run.json": text("{}") };

const KINDS: [string, Uint8Array, (bytes: Uint8Array) => unknown][] = [
  ["zip, stored", zipSync(FILES, { level: 0 }), (bytes) => unzip("a.zip", bytes)],
  ["zip, deflated", zipSync(FILES, { level: 9 }), (bytes) => unzip("a.zip", bytes)],
  ["gzip", gzipSync(content, { filename: "metrics.jsonl" }), (bytes) => gunzip(bytes, MOST)],
  ["zlib", zlibSync(content), (bytes) => unzlib(bytes, MOST)],
];

function* broken(whole: Uint8Array): Generator<[string, Uint8Array]> {
  for (let bit = 0; bit < 8 * whole.length; bit++) {
    const bytes = whole.slice();
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    yield [`bit ${bit} turned`, bytes];
  }
  for (let length = 0; length < whole.length; length++) yield [`cut after ${length} bytes`, whole.slice(0, length)];
}

describe.each(KINDS)("%s", (_, whole, open) => {
  test("turn any bit, cut it anywhere: it is refused, or what it holds is the same", async () => {
    const expected = await open(whole);
    let refused = 0;
    for (const [how, bytes] of broken(whole)) {
      try {
        expect(await open(bytes), how).toEqual(expected);
      } catch (error) {
        if (error instanceof Error && error.name === "AssertionError") throw error;
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(4 * whole.length);
  });
});

test("what is whole is read: empty, of many pieces, with all that a gzip's header can hold", async () => {
  const long = new Uint8Array(300_000).map((_, i) => (i * i) >> 5);
  for (const bytes of [new Uint8Array(), long]) {
    const same = (unpacked: Uint8Array | undefined) => expect(unpacked && Buffer.compare(unpacked, bytes)).toBe(0);
    same(gunzip(gzipSync(bytes), MOST));
    same(unzlib(zlibSync(bytes), MOST));
    same((await unzip("a.zip", zipSync({ "run.json": bytes }))).get("run.json"));
  }
  const packed = gzipSync(content);
  const header = Uint8Array.of(...packed.subarray(0, 3), 2 + 4 + 8 + 16, ...packed.subarray(4, 10), 2, 0, 9, 9, 65, 0, 66, 0, 1, 2);
  expect(gunzip(Uint8Array.of(...header, ...packed.subarray(10)), MOST)).toEqual(content);
  expect(crc32(text("123456789"))).toBe(0xcbf43926); // the check value of its definition
});

describe("bombs", () => {
  const bomb = zlibSync(new Uint8Array(2 ** 25));

  test("unpacking ends with the piece that is too much, not with the file", () => {
    expect(() => [...inflated(bomb.subarray(2, -500), MOST)]).toThrow(`unpacked it has more than ${MOST} bytes`); // cut off, it would end too early
    expect(() => unzlib(bomb, MOST)).toThrow("more than");
  });

  test("a zip whose directory claims less than it holds is refused", async () => {
    const zip = zipSync({ "run.json": new Uint8Array(2 ** 22) });
    const view = new DataView(zip.buffer);
    const central = view.getUint32(zip.length - 6, true);
    view.setUint32(central + 24, 100, true);
    await expect(unzip("a.zip", zip)).rejects.toThrow("run.json does not unpack: unpacked it has more than 100 bytes");
  });

  test("several gzips glued together are refused, not read in part", () => {
    const glued = Uint8Array.of(...gzipSync(text("[]")), ...gzipSync(text("[ ]")));
    expect(() => readProblems(glued, "p.json.gz", 1)).toThrow(InputError);
    expect(() => readProblems(glued, "p.json.gz", 1)).toThrow("its checksum is another");
  });

  test("packed tests with a turned bit are refused", () => {
    const packed = zlibSync(Uint8Array.of(0x80, 4, 0x8c, 2, 0x5b, 0x5d, 0x2e), { level: 0 });
    const base64 = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes));
    expect(unpackText(base64(packed))).toBe("[]");
    packed[packed.length - 6]! ^= 1;
    expect(() => unpackText(base64(packed))).toThrow("its checksum is another");
  });
});
