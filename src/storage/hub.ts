// What a model on a hub or below an address consists of: names, sizes and checksums of its files, before one of them is downloaded.

import { InputError } from "../input_error.ts";

/** The public hub; another one (a mirror, a server in the house) is named by the user. */
export const PUBLIC_HUB = "https://huggingface.co";

export interface RemoteFile {
  readonly path: string;
  readonly url: string;
  /** null: not known for certain. */
  readonly bytes: number | null;
  /** What the server says of the size, for progress alone: of an answer that it compresses this is another. */
  readonly about: number | null;
  /** "sha256:HEX", or "git:HEX" for the SHA-1 of a git blob, which is what a hub has for small files; null: there is none. */
  readonly checksum: string | null;
}

export interface RemoteModel {
  /** "owner/name", or the folder's address. */
  readonly id: string;
  readonly files: readonly RemoteFile[];
}

export interface HubOptions {
  /** The hub's address; the public one unless told. */
  readonly hub?: string;
  /** For gated models; sent to the hub alone, and kept nowhere. */
  readonly token?: string | null;
  readonly signal?: AbortSignal;
}

/** Files of a model folder beside its weights. */
const SMALL_FILES = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"];
const INDEX = "model.safetensors.index.json";

/** "owner/name", "owner/name@revision", and either with a file behind it: "owner/name/model.gguf". */
const HUB_ID = /^([\w.-]+\/[\w.-]+?)(?:@([\w./-]+?))?(?:\/(.+\.gguf))?$/i;
/** What the public hub's own pages and files are called: /owner/name, /owner/name/tree/main, /owner/name/blob/main/model.gguf. */
const HUB_PAGE = /^\/([\w.-]+\/[\w.-]+)(?:\/(?:tree|blob|resolve)\/([^/]+)(?:\/(.+))?)?\/?$/;

export const isHubId = (name: string): boolean => HUB_ID.test(name);
export const isAddress = (name: string): boolean => /^https?:\/\//.test(name);

/** The hub id that an address copied from the public hub stands for; any other name as it is. */
export function hubIdOf(name: string): string {
  if (!isAddress(name) || new URL(name).origin !== PUBLIC_HUB) return name;
  const [, repository, revision = "main", file = ""] = HUB_PAGE.exec(new URL(name).pathname) ?? [];
  if (repository === undefined) return name;
  const at = revision === "main" ? "" : `@${decodeURIComponent(revision)}`;
  return repository + at + (/\.gguf$/i.test(file) ? `/${decodeURIComponent(file)}` : "");
}

/**
 * Finds out what a model consists of.
 * @param name a hub id (see HUB_ID) or the address of a folder or a GGUF file
 * @throws InputError where there is no such model, the hub wants a token, or the address cannot be reached
 */
export async function findRemoteModel(name: string, options: HubOptions = {}): Promise<RemoteModel> {
  if (isAddress(name)) return modelBelow(name, options.signal);
  const [, repository, revision = "main", gguf] = HUB_ID.exec(name) ?? [];
  if (!repository) throw new InputError(`${name}: expected a hub id such as owner/name, or an address.`);
  const hub = (options.hub ?? PUBLIC_HUB).replace(/\/+$/, "");
  const encoded = encodeURIComponent(revision);
  const response = await request(`${hub}/api/models/${repository}/tree/${encoded}?recursive=true`, name, options);
  const listed = readListing(await response.json().catch(() => null), name);
  const files = listed.map(({ path, ...rest }) => ({ path, url: `${hub}/${repository}/resolve/${encoded}/${encodePath(path)}`, ...rest }));
  if (gguf !== undefined) return { id: name, files: oneFile(name, files, gguf) };
  const names = namesOfModel(
    name,
    files.map(({ path }) => path),
  );
  return { id: name, files: files.filter(({ path }) => names.includes(path)) };
}

const encodePath = (path: string): string => path.split("/").map(encodeURIComponent).join("/");

/** Headers of requests to the hub. */
export const hubHeaders = (token: string | null | undefined): Record<string, string> => (token ? { Authorization: `Bearer ${token}` } : {});

async function request(url: string, name: string, { token, signal }: HubOptions): Promise<Response> {
  const response = await fetch(url, { headers: hubHeaders(token), cache: "no-store", ...(signal && { signal }) }).catch(
    (error: unknown) => {
      signal?.throwIfAborted();
      throw new InputError(`${name}: ${new URL(url).origin} cannot be reached (${error instanceof Error ? error.message : error}).`);
    },
  );
  if (response.ok) return response;
  throw refusal(name, url, response.status, token);
}

/** What an answer other than "ok" means to the user. */
export function refusal(name: string, url: string, status: number, token: string | null | undefined): InputError {
  if (status === 401 || status === 403) {
    const todo = token
      ? "the token does not open it: accept the model's terms on the hub"
      : "it is gated or does not exist: give a hub token";
    return new InputError(`${name}: ${new URL(url).origin} answered ${status}: ${todo}.`);
  }
  if (status === 404) return new InputError(`${name}: ${new URL(url).origin} has no such model or file (${url}).`);
  return new InputError(`${name}: ${new URL(url).origin} answered ${status} for ${url}; try again later.`);
}

type Listed = Omit<RemoteFile, "url">;

/** The hub's listing of a folder: [{ type, path, size, oid, lfs: { oid, size } }]. */
function readListing(json: unknown, name: string): Listed[] {
  if (!Array.isArray(json)) throw new InputError(`${name}: the hub's list of files cannot be read.`);
  return json.flatMap((entry: unknown): Listed[] => {
    if (!isObject(entry) || entry.type !== "file" || typeof entry.path !== "string") return [];
    const lfs = isObject(entry.lfs) ? entry.lfs : null;
    const sha256 = typeof lfs?.oid === "string" ? `sha256:${lfs.oid.replace(/^sha256:/, "")}` : null;
    const git = typeof entry.oid === "string" ? `git:${entry.oid}` : null;
    const size = lfs?.size ?? entry.size;
    const bytes = typeof size === "number" ? size : null;
    return [{ path: entry.path, bytes, about: bytes, checksum: sha256 ?? git }];
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Of a repository's files those of the model: config, tokenizer and weights, which are one file or shards. */
function namesOfModel(name: string, paths: readonly string[]): string[] {
  const isWeights = (path: string) => (paths.includes("model.safetensors") ? path === "model.safetensors" : isShard(path));
  const found = paths.filter((path) => SMALL_FILES.includes(path) || path === INDEX || isWeights(path));
  if (found.some((path) => path.endsWith(".safetensors"))) return found;
  const ggufs = paths.filter((path) => path.endsWith(".gguf"));
  const instead = ggufs.length > 0 ? `; name one of its GGUF files: ${ggufs.map((path) => `${name}/${path}`).join(", ")}` : "";
  throw new InputError(`${name}: expected safetensors weights in the repository, found none${instead}.`);
}

const isShard = (path: string): boolean => /^model-\d+-of-\d+\.safetensors$/.test(path);

function oneFile(name: string, files: readonly RemoteFile[], path: string): RemoteFile[] {
  const found = files.find((file) => file.path === path);
  if (!found) throw new InputError(`${name}: the repository has no file ${path}.`);
  return [{ ...found, path: path.slice(path.lastIndexOf("/") + 1) }];
}

/**
 * A folder below an address, or one GGUF file. Checksums are read from a SHA256SUMS file beside them (as `sha256sum *` writes it)
 * where there is one.
 */
async function modelBelow(address: string, signal: AbortSignal | undefined): Promise<RemoteModel> {
  const gguf = /\.gguf$/i.test(new URL(address).pathname);
  const base = gguf ? address.slice(0, address.lastIndexOf("/") + 1) : address.replace(/\/*$/, "/");
  const sums = await readSums(`${base}SHA256SUMS`, signal);
  const file = async (path: string): Promise<RemoteFile> => {
    const url = base + encodePath(path);
    return { path, url, bytes: null, about: await sizeOf(url, signal), checksum: sums?.get(path) ?? null };
  };
  const all = async (paths: readonly string[]) => ({ id: address, files: await Promise.all(paths.map(file)) });
  if (gguf) return all([decodeURIComponent(address.slice(base.length))]);
  if (sums) return all(namesOfModel(address, [...sums.keys()]));
  const index = await textOrNull(base + INDEX, signal);
  const weights = index === null ? ["model.safetensors"] : [INDEX, ...shardsOf(index, address)];
  const present = await Promise.all(SMALL_FILES.map(async (path) => ((await exists(base + path, signal)) ? [path] : [])));
  return all([...present.flat(), ...weights]);
}

/** Lines "HEX  path" or "HEX *path". */
async function readSums(url: string, signal: AbortSignal | undefined): Promise<Map<string, string> | null> {
  const text = await textOrNull(url, signal);
  if (text === null) return null;
  const lines = [...text.matchAll(/^([0-9a-f]{64}) [ *](?:\.\/)?(.+?)\r?$/gim)];
  return lines.length === 0 ? null : new Map(lines.map(([, hash = "", path = ""]) => [path, `sha256:${hash.toLowerCase()}`]));
}

function shardsOf(index: string, address: string): string[] {
  let json: unknown;
  try {
    json = JSON.parse(index);
  } catch {
    throw new InputError(`${address}: ${INDEX} is not JSON.`);
  }
  const map = isObject(json) ? json.weight_map : null;
  if (!isObject(map)) throw new InputError(`${address}: ${INDEX}: expected weight_map, an object of file names by tensor.`);
  const names = [...new Set(Object.values(map))].filter((name) => typeof name === "string");
  return names.filter((name) => !/[/\\]/.test(name));
}

/** A file's answer, or null where there is no such file. */
async function open(url: string, signal: AbortSignal | undefined): Promise<Response | null> {
  const response = await fetch(url, { cache: "no-store", ...(signal && { signal }) }).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw new InputError(`${url} cannot be reached (${error instanceof Error ? error.message : error}).`);
  });
  const isPage = response.headers.get("content-type")?.startsWith("text/html") ?? false; // single-page apps answer so for any address
  if (response.ok && !isPage) return response;
  await response.body?.cancel();
  if (response.ok || response.status === 404 || response.status === 410) return null;
  throw refusal(url, url, response.status, null);
}

/** What the server says of a file's size before it is asked for; null where it does not. */
async function sizeOf(url: string, signal: AbortSignal | undefined): Promise<number | null> {
  const response = await fetch(url, { method: "HEAD", cache: "no-store", ...(signal && { signal }) }).catch(() => null); // the file itself will tell what is wrong
  signal?.throwIfAborted();
  const length = response?.ok ? response.headers.get("content-length") : null;
  return length === null || length === undefined ? null : Number(length);
}

async function textOrNull(url: string, signal: AbortSignal | undefined): Promise<string | null> {
  const response = await open(url, signal);
  return response ? response.text() : null;
}

async function exists(url: string, signal: AbortSignal | undefined): Promise<boolean> {
  const response = await open(url, signal);
  await response?.body?.cancel();
  return response !== null;
}
