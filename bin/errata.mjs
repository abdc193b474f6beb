#!/usr/bin/env node
// The command line's door: Vite loads the TypeScript and the shaders as they stand, so nothing is built first.
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The project's modules, loaded as they are asked for. */
async function openModules() {
  const { createRunnableDevEnvironment, resolveConfig } = await import("vite");
  const config = await resolveConfig(
    {
      root,
      configFile: false,
      envDir: false,
      logLevel: "silent",
      environments: { cli: { consumer: "server", resolve: { external: true, conditions: ["node"] } } },
    },
    "serve",
  );
  const environment = createRunnableDevEnvironment("cli", config, { hot: false, runnerOptions: { hmr: false } });
  await environment.init();
  return environment.runner;
}

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
