// npm start: installs what is missing, builds the page, serves it on localhost and opens a browser where there is one.
import { spawn } from "node:child_process";
import util from "node:util"; // whole: an old Node lacks parseArgs, and is to be told so
import { ensureBuilt } from "./build.mjs";
import { ensureDependencies, fail, requireNode } from "./install.mjs";
import { serveFolder } from "./serve.mjs";

const FIRST_PORT = 4173;
const LAST_PORT = 4273;

const USAGE = `npm start -- [--port N] [--no-open]

Installs what is missing, builds the page, serves it on localhost and opens it in the browser.
  --port N    serve there (else the first free port from ${FIRST_PORT})
  --no-open   do not open a browser`;

/** @returns {{ port: number | null, open: boolean, help: boolean }} */
function readFlags() {
  const { values } = parseFlags();
  const port = values.port === undefined ? null : Number(values.port);
  if (port !== null && !(Number.isInteger(port) && port >= 1 && port <= 65535)) {
    throw new Error(`--port takes a whole number from 1 to 65535, not ${values.port}.`);
  }
  return { port, open: !values["no-open"], help: values.help ?? false };
}

function parseFlags() {
  try {
    return util.parseArgs({ options: { port: { type: "string" }, "no-open": { type: "boolean" }, help: { type: "boolean" } } });
  } catch (error) {
    const [firstSentence] = String(error instanceof Error ? error.message : error).split(". ");
    throw new Error(`${firstSentence}: npm start -- --help lists the flags.`);
  }
}

/**
 * @param {string} folder
 * @param {number | null} chosen
 */
async function serve(folder, chosen) {
  for (let port = chosen ?? FIRST_PORT; port <= (chosen ?? LAST_PORT); port++) {
    const server = await serveFolder(folder, port);
    if (server) return server;
  }
  throw new Error(`Port ${chosen ?? `${FIRST_PORT} to ${LAST_PORT}`} is taken: name a free one with --port.`);
}

/** @param {string} url */
function openBrowser(url) {
  const program = browserOpener();
  if (!program) return;
  const [command, ...args] = program;
  const child = spawn(command, [...args, url], { detached: true, stdio: "ignore" });
  child.on("error", () => console.log("No browser could be opened: open the address yourself."));
  child.unref();
}

/** @returns {[string, ...string[]] | null} */
function browserOpener() {
  if (process.platform === "darwin") return ["open"];
  if (process.platform === "win32") return ["cmd", "/c", "start", ""];
  return process.env.DISPLAY || process.env.WAYLAND_DISPLAY ? ["xdg-open"] : null;
}

async function main() {
  let flags;
  try {
    requireNode();
    flags = readFlags();
  } catch (error) {
    return fail(error, 2);
  }
  if (flags.help) return console.log(USAGE);
  try {
    ensureDependencies();
    const server = await serve(ensureBuilt(), flags.port);
    console.log(`Errata is at ${server.url} (Ctrl-C ends it)`);
    for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, server.close); // the process ends with its last server
    if (flags.open) openBrowser(server.url);
  } catch (error) {
    fail(error, 1);
  }
}

await main();
