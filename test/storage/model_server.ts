// A hub and a plain file server in one, that cuts connections, damages files and refuses ranges on demand.
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

export interface ModelServer {
  /** Files by their path on the hub: "owner/name/config.json". */
  readonly files: Map<string, Uint8Array>;
  /** Of every request for a file: "config.json 0-", in order. */
  readonly requests: string[];
  /** Of every request for a list of files or a file: what it was authorised by, "" for nothing. */
  readonly authorizations: string[];
  /** What happens to the answers to come. */
  fault: {
    /** Connections end after so many bytes; each number is used once. */
    cuts?: number[];
    /** Flips a bit of this byte. */
    damage?: { path: string; at: number };
    /** Answers every request in full. */
    noRanges?: boolean;
    /** Sends 206 without saying which range it is: what a page sees of a server of another origin that does not expose the header. */
    hidesRange?: boolean;
    /** Answers no HEAD request. */
    noHead?: boolean;
    /** When the files were changed, as Last-Modified says; null: it does not. */
    modified?: string | null;
    /** Answers no file. */
    status?: number;
    /** Only with this token. */
    token?: string;
    /** Answers every request for a file with the address of another server's, as the public hub does. */
    redirectTo?: string;
    /** Bytes a second. */
    rate?: number;
  };
  readonly base: string;
  close(): void;
}

const sha = (kind: "sha256" | "sha1", ...parts: (string | Uint8Array)[]) =>
  parts.reduce((digest, part) => digest.update(part), createHash(kind)).digest("hex");

/** Large files are in "LFS", with a SHA-256; small ones have a git blob's checksum, as on the public hub. */
const LFS_BYTES = 10_000;

export async function openModelServer(): Promise<ModelServer> {
  const files = new Map<string, Uint8Array>();
  const requests: string[] = [];
  const authorizations: string[] = [];
  const state = { fault: {} as ModelServer["fault"] };

  function listing(response: ServerResponse, repository: string): void {
    const inside = [...files].filter(([path]) => path.startsWith(`${repository}/`));
    if (inside.length === 0) return void response.writeHead(404).end();
    const entries = inside.map(([path, bytes]) => ({
      type: "file",
      path: path.slice(repository.length + 1),
      size: bytes.length,
      oid: sha("sha1", `blob ${bytes.length}\0`, bytes),
      ...(bytes.length > LFS_BYTES && { lfs: { oid: sha("sha256", bytes), size: bytes.length, pointerSize: 134 } }),
    }));
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(entries));
  }

  async function file(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const { fault } = state;
    let bytes = files.get(path);
    if (!bytes) return void response.writeHead(404).end();
    if (fault.status) return void response.writeHead(fault.status).end();
    if (fault.damage && path.endsWith(fault.damage.path)) {
      bytes = bytes.slice();
      bytes[fault.damage.at]! ^= 1;
    }
    if (request.method === "HEAD") {
      const size = { "access-control-allow-origin": "*", "content-length": bytes.length };
      return void response.writeHead(fault.noHead ? 405 : 200, fault.noHead ? {} : size).end();
    }
    const range = fault.noRanges ? null : /bytes=(\d+)-/.exec(request.headers.range ?? "");
    const begin = range ? Number(range[1]) : 0;
    requests.push(`${path.split("/").at(-1)} ${begin}-`);
    const modified = fault.modified === undefined ? "Sat, 21 Nov 2026 12:00:00 GMT" : fault.modified;
    const headers = {
      "access-control-allow-origin": "*",
      ...(!fault.hidesRange && { "access-control-expose-headers": "content-range" }),
      ...(modified !== null && { "last-modified": modified }),
    };
    if (begin > 0 && begin >= bytes.length)
      return void response.writeHead(416, { ...headers, "content-range": `bytes */${bytes.length}` }).end();
    response.writeHead(range ? 206 : 200, {
      ...headers,
      "content-length": bytes.length - begin,
      ...(range && !fault.hidesRange && { "content-range": `bytes ${begin}-${bytes.length - 1}/${bytes.length}` }),
    });
    const cut = fault.cuts?.shift();
    const end = cut === undefined ? bytes.length : Math.min(begin + cut, bytes.length);
    const piece = fault.rate ? Math.ceil(fault.rate / 20) : end - begin;
    for (let at = begin; at < end; at += piece) {
      response.write(bytes.subarray(at, Math.min(at + piece, end)));
      if (fault.rate) await new Promise((resolve) => setTimeout(resolve, 50));
    }
    if (end < bytes.length)
      setTimeout(() => response.destroy(), 20); // what was written goes out first
    else response.end();
  }

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    const [, api] = /^\/api\/models\/([^/]+\/[^/]+)\/tree\/\w+$/.exec(url.pathname) ?? [];
    const [, repository, path] = /^\/([^/]+\/[^/]+)\/resolve\/\w+\/(.+)$/.exec(url.pathname) ?? [];
    const { token } = state.fault;
    if (request.method === "OPTIONS") {
      response.writeHead(204, { "access-control-allow-origin": "*", "access-control-allow-headers": "authorization, range" }).end();
      return;
    }
    authorizations.push(request.headers.authorization ?? "");
    if (token && request.headers.authorization !== `Bearer ${token}`) response.writeHead(401, { "access-control-allow-origin": "*" }).end();
    else if (api) {
      response.setHeader("access-control-allow-origin", "*");
      listing(response, api);
    } else if (state.fault.redirectTo && repository) {
      const location = `${state.fault.redirectTo}/${repository}/${path}`;
      response.writeHead(302, { "access-control-allow-origin": "*", location }).end();
    } else void file(request, response, decodeURIComponent(repository ? `${repository}/${path}` : url.pathname.slice(1)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    files,
    requests,
    authorizations,
    base: `http://127.0.0.1:${port}`,
    get fault() {
      return state.fault;
    },
    set fault(fault) {
      state.fault = fault;
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** `n` bytes that are the same for the same name. */
export function bytesOf(name: string, n: number): Uint8Array {
  const seed = createHash("sha256").update(name).digest();
  return Uint8Array.from({ length: n }, (_, i) => (seed[i % 32]! + 7 * i + (i >> 8)) & 255);
}
