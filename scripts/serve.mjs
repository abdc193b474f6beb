// A static file server for the built page, on this machine only.
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, resolve, sep } from "node:path";

/** @typedef {import("node:http").Server} Server */
/** @typedef {import("node:http").IncomingMessage} Request */
/** @typedef {import("node:http").ServerResponse} Response */

/** @type {Record<string, string>} */
const MIME_TYPES = {
  ".css": "text/css; charset=utf-8",
  ".gz": "application/gzip",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".jsonl": "application/x-ndjson; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".md": "text/markdown; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
  ".wgsl": "text/plain; charset=utf-8",
  ".woff2": "font/woff2",
  ".zip": "application/zip",
};

/** Both addresses of "localhost": a browser may try either first, and must not meet another program there. */
const HOSTS = ["127.0.0.1", "::1"];

/**
 * Serves `folder` on localhost.
 * @param {string} folder
 * @param {number} port 0 for any free one
 * @returns {Promise<{ url: string, close: () => void } | null>} null when the port is taken
 */
export async function serveFolder(folder, port) {
  /** @type {Server[]} */
  const servers = [];
  const close = () => {
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
  };
  for (const host of HOSTS) {
    const server = createServer((request, response) => answer(resolve(folder), request, response));
    const error = await listen(server, port, host);
    if (!error) servers.push(server);
    else if (error.code === "EADDRINUSE") {
      close();
      return null;
    } else if (host !== "::1") throw error; // many machines have no IPv6
    port = portOf(server) ?? port;
  }
  return { url: `http://localhost:${port}/`, close };
}

/**
 * @param {Server} server
 * @param {number} port
 * @param {string} host
 * @returns {Promise<NodeJS.ErrnoException | null>}
 */
function listen(server, port, host) {
  return new Promise((done) => {
    server.once("error", done);
    server.listen(port, host, () => done(null));
  });
}

/** @param {Server} server */
function portOf(server) {
  const address = server.address();
  return typeof address === "object" ? address?.port : undefined;
}

/**
 * @param {string} folder
 * @param {Request} request
 * @param {Response} response
 */
function answer(folder, request, response) {
  if (request.method !== "GET" && request.method !== "HEAD") return refuse(response, 405, "Only GET and HEAD are answered here.");
  const file = fileOf(folder, request.url ?? "/");
  if (!file) return refuse(response, 404, "There is no such file.");
  const tag = `"${file.size.toString(36)}-${file.modified.toString(36)}"`;
  response.setHeader("ETag", tag);
  response.setHeader("Cache-Control", "no-cache"); // kept, but asked for again: a new build is seen at once
  response.setHeader("Accept-Ranges", "bytes");
  response.setHeader("X-Content-Type-Options", "nosniff");
  response.setHeader("Content-Type", MIME_TYPES[extname(file.path).toLowerCase()] ?? "application/octet-stream");
  if (request.headers["if-none-match"] === tag) return response.writeHead(304).end();
  const range = rangeOf(request.headers.range, file.size);
  if (range === "unsatisfiable") {
    response.setHeader("Content-Range", `bytes */${file.size}`);
    return refuse(response, 416, "The file is shorter than the range asked for.");
  }
  const { begin, end } = range ?? { begin: 0, end: file.size };
  if (range) response.setHeader("Content-Range", `bytes ${begin}-${end - 1}/${file.size}`);
  response.writeHead(range ? 206 : 200, { "Content-Length": end - begin });
  if (request.method === "HEAD" || end === begin) return response.end();
  const stream = createReadStream(file.path, { start: begin, end: end - 1 });
  stream.on("error", () => response.destroy());
  response.on("close", () => stream.destroy());
  stream.pipe(response);
}

/**
 * @param {Response} response
 * @param {number} status
 * @param {string} message
 */
function refuse(response, status, message) {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8" }).end(`${message}\n`);
}

/**
 * The file that a request names, a folder's index.html included; null when there is none or it lies outside the folder.
 * @param {string} folder absolute
 * @param {string} url the request's path and query
 * @returns {{ path: string, size: number, modified: number } | null}
 */
function fileOf(folder, url) {
  const name = decode(url.replace(/[?#].*$/, ""));
  if (name === null || name.includes("\0")) return null;
  const path = join(folder, name.endsWith("/") ? `${name}index.html` : name);
  if (!path.startsWith(folder + sep)) return null;
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat?.isFile() ? { path, size: stat.size, modified: Math.round(stat.mtimeMs) } : null;
}

/** @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return null; // not a well-formed address: answered as a file that is not there
  }
}

/**
 * One range of bytes as [begin, end); null when the whole file is meant, which several ranges are answered with, too.
 * @param {string | undefined} header
 * @param {number} size
 * @returns {{ begin: number, end: number } | "unsatisfiable" | null}
 */
function rangeOf(header, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return null;
  const last = match[1] === "";
  const begin = last ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const end = last || match[2] === "" ? size : Math.min(size, Number(match[2]) + 1);
  return begin < end ? { begin, end } : "unsatisfiable";
}
