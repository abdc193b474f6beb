#!/usr/bin/env node
// The command line's door: Vite loads the TypeScript and the shaders as they stand, so nothing is built first.
import { openModules } from "../scripts/modules.mjs";

let status;
try {
  const modules = await openModules();
  const { main } = await modules.import("/src/cli/main.ts");
  status = await main(process.argv.slice(2));
} catch (error) {
  const missing = error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND";
  const message = missing ? "Its packages are not installed: run npm install (or npm start) in its folder first." : error;
  process.stderr.write(`errata: ${message instanceof Error ? message.stack : message}\n`);
  status = missing ? 2 : 1;
}
// Dawn and the sandbox's browser would keep the process alive; what is written must be out before it ends.
process.stdout.write("", () => process.exit(status));
