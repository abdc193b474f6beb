// A sealed file says its kind, format, length and checksum in its first line, so that whoever reads it knows whether it is whole.
import { InputError } from "../input_error.ts";

const MAX_LINE = 160;

/** `bytes` behind their line. */
export async function seal(kind: string, version: number, bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const line = new TextEncoder().encode(`${kind} ${version} ${bytes.length} ${await checksumOf(bytes)}\n`);
  const sealed = new Uint8Array(line.length + bytes.length);
  sealed.set(line);
  sealed.set(bytes, line.length);
  return sealed;
}

/**
 * The bytes behind the line.
 * @throws InputError where they are not what was written, or of another version
 */
export async function unseal(name: string, kind: string, version: number, sealed: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const end = sealed.subarray(0, MAX_LINE).indexOf(10);
  const line = String.fromCharCode(...sealed.subarray(0, Math.max(0, end)));
  const [, found, number, length, checksum] = /^([a-z-]+) (\d+) (\d+) ([0-9a-f]{64})$/.exec(line) ?? [];
  if (found !== kind) throw new InputError(`${name} is damaged: its first line does not say "${kind}".`);
  if (Number(number) !== version) {
    throw new InputError(`${name} was written by another version of Errata (format ${number}, this one reads ${version}).`);
  }
  const bytes = new Uint8Array(sealed.subarray(end + 1));
  if (bytes.length !== Number(length)) throw new InputError(`${name} is damaged: it has ${bytes.length} of ${length} bytes.`);
  if ((await checksumOf(bytes)) !== checksum) throw new InputError(`${name} is damaged: its checksum is another.`);
  return bytes;
}

/** SHA-256 in hexadecimal digits. */
export async function checksumOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
