import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";
import { chromiumFlags, findChromium, softwareDriver } from "./scripts/find_chromium.mjs";

const chromium = findChromium();
const driver = chromium && softwareDriver(chromium); // for Dawn on machines without a graphics card

// The groups run one after the other: the GPU here is often the same two cores that run everything else.
export default defineConfig({
  test: {
    maxWorkers: 2,
    ...(driver && { env: { VK_ADD_DRIVER_FILES: driver } }),
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: { name: "node", include: ["test/**/*.test.ts"], exclude: ["test/e2e/**"], pool: "forks", sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: {
          name: "chromium",
          include: ["test/kernels/**/*.test.ts"], // a second time, on the browser's WebGPU
          sequence: { groupOrder: 1 },
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: { ...(chromium && { executablePath: chromium }), args: chromiumFlags({ webgpu: true }) },
            }),
            instances: [{ browser: "chromium" }],
          },
        },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 200_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
