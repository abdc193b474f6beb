import { defineConfig } from "vite";

export default defineConfig({
  base: "./", // works on any static host and from any folder
  build: { target: "es2023", sourcemap: true },
  worker: { format: "es" },
});
