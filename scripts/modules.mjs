// The project's TypeScript and shaders, loaded by Vite as they stand: nothing is built first.
import { repository } from "./install.mjs";

/**
 * @returns {Promise<{ import(path: string): Promise<any> }>} paths begin at the repository: "/src/cli/main.ts"
 */
export async function openModules() {
  const { createRunnableDevEnvironment, resolveConfig } = await import("vite");
  const config = await resolveConfig(
    {
      root: repository,
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
