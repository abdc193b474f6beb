// npm run exact: measures how far Errata is from PyTorch on the golden data and writes docs/results/exact.md. A few minutes on two cores.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensureChromium, ensureVulkan } from "./ensure_chromium.mjs";
import { repository } from "./install.mjs";
import { openModules } from "./modules.mjs";

Object.assign(process.env, ensureVulkan(ensureChromium()));
const modules = await openModules();
const { exactTables } = await modules.import("/test/golden/exact_tables.ts");
writeFileSync(join(repository, "docs", "results", "exact.md"), await exactTables((/** @type {string} */ done) => console.error(done)));
console.log("docs/results/exact.md");
process.exit(0); // Dawn would keep the process alive
