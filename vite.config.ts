import { defineConfig } from "vite";
import { pagePolicy } from "./scripts/page_policy.ts";
import { pyodideAssets } from "./scripts/pyodide_assets.ts";

export default defineConfig({
  base: "./", // works on any static host and from any folder
  build: { target: "es2023", sourcemap: true },
  plugins: [pagePolicy(), pyodideAssets()],
  worker: { format: "es" },
});
