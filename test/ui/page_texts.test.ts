import { unzipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { smooth } from "../../src/ui/charts/smooth.ts";
import { errorLook, KNOWN_ERROR_TYPES } from "../../src/ui/error_types.ts";
import { EXPORTS, exportContent } from "../../src/ui/exports.ts";
import { countText, durationText, metricText, percentText, pointsText, rateText } from "../../src/ui/number_text.ts";
import { readConfig, writeConfig } from "../../src/ui/url_config.ts";
import { isSoftwareAdapter, webgpuHelp } from "../../src/ui/webgpu_help.ts";

describe("the URL's settings", () => {
  test("are read and written back", () => {
    const { config, ignored } = readConfig("?seed=7&preset=smoke&method=sft&autostart=1");
    expect(config).toMatchObject({ seed: 7, preset: "smoke", method: "sft", autostart: true });
    expect(ignored).toEqual([]);
    expect(readConfig(writeConfig(config, "?autostart=1")).config).toEqual(config);
  });

  test("that make no sense are left at their defaults and named", () => {
    const { config, ignored } = readConfig("?seed=-3&preset=huge&method=magic");
    expect(config).toEqual(readConfig("").config);
    expect(ignored).toEqual(["preset=huge", "method=magic", "seed=-3"]);
  });

  test("leave parameters of others alone", () => {
    expect(writeConfig(readConfig("").config, "?theme=x")).toContain("theme=x");
  });
});

describe("numbers", () => {
  test("read as people write them", () => {
    expect(percentText(0.625)).toBe("62.5 %");
    expect(pointsText(-0.083)).toBe("−8.3");
    expect(pointsText(0.083)).toBe("+8.3");
    expect(durationText(125)).toBe("2 min 05 s");
    expect(durationText(4260)).toBe("1 h 11 min");
    expect(rateText(0.3)).toBe("18 /min");
    expect(metricText(-0.0123)).toBe("−0.012");
    expect(metricText(Number.NaN)).toBe("not a number");
    expect(countText(870_528)).toBe("871 K");
  });

  test("smoothing starts at the first value and keeps gaps", () => {
    expect(smooth([null, 4, 8, null, 0], 0.5)).toEqual([null, 4, 6, null, 3]);
  });
});

describe("error types", () => {
  test("have codes and labels that tell them apart", () => {
    const looks = KNOWN_ERROR_TYPES.map(errorLook);
    expect(new Set(looks.map((look) => look.code)).size).toBe(looks.length);
    expect(new Set(looks.map((look) => look.label)).size).toBe(looks.length);
    expect(new Set(looks.map((look) => look.hue)).size).toBe(looks.length);
  });

  test("a failed test is called WrongResult; an unknown class keeps its name", () => {
    expect(errorLook("AssertionError").label).toBe("WrongResult");
    expect(errorLook("BufferError")).toMatchObject({ label: "BufferError", code: "Bu" });
  });
});

describe("adapters and help", () => {
  test("software adapters are named as such", () => {
    expect(isSoftwareAdapter({ vendor: "google", architecture: "swiftshader", description: "" })).toBe(true);
    expect(isSoftwareAdapter({ vendor: "mesa", architecture: "", description: "llvmpipe (LLVM 15)" })).toBe(true);
    expect(isSoftwareAdapter({ vendor: "nvidia", architecture: "hopper", description: "NVIDIA H200" })).toBe(false);
  });

  test("the advice begins with what is wrong", () => {
    const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    const chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36";
    expect(webgpuHelp(firefox, true)[0]?.title).toBe("Firefox");
    expect(webgpuHelp(chrome, true)[0]?.title).toContain("Linux");
    expect(webgpuHelp(chrome, false)[0]?.title).toContain("not secure");
  });
});

describe("exports", () => {
  const bytes = new TextEncoder().encode("{}\n");
  const files = ["adapter/adapter_config.json", "adapter_last/adapter_config.json", "preferences.jsonl", "run.json"].map((path) => ({
    path,
    bytes,
  }));
  const kind = (name: string) => EXPORTS.find((entry) => entry.name === name)!;

  test("the adapter's zip holds the best adapter only, the run's holds all", () => {
    expect(Object.keys(unzipSync(exportContent(kind("Adapter"), files)))).toEqual(["adapter/adapter_config.json"]);
    expect(Object.keys(unzipSync(exportContent(kind("Whole run"), files)))).toHaveLength(4);
  });

  test("single files come as they are, missing ones as a sentence", () => {
    expect(exportContent(kind("Pairs"), files)).toBe(bytes);
    expect(() => exportContent(kind("Answers"), files)).toThrow(/no such file yet/);
  });
});
