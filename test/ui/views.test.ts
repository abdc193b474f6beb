import { describe, expect, test } from "vitest";
import { METHODS as RUN_METHODS } from "../../src/ap2o/methods.ts";
import { PRESETS as RUN_PRESETS } from "../../src/ap2o/presets.ts";
import type { Answer, Preference } from "../../src/records.ts";
import { filterAnswers, promptOf } from "../../src/ui/answers/answer_list.ts";
import { spread } from "../../src/ui/charts/chart.tsx";
import { chartsOf } from "../../src/ui/charts/chart_spec.ts";
import { chartSvg, ticks } from "../../src/ui/charts/chart_svg.ts";
import { decimate } from "../../src/ui/charts/decimate.ts";
import { sortDropped } from "../../src/ui/dropped_files.ts";
import { csvOf } from "../../src/ui/exports.ts";
import { keyAction } from "../../src/ui/keys.ts";
import { fellFirst } from "../../src/ui/lesson/lesson.ts";
import { bytesText } from "../../src/ui/number_text.ts";
import { applyEvent, emptyRun } from "../../src/ui/run_state.ts";
import { frozenText } from "../../src/ui/tab_life.ts";
import { ownAddress } from "../../src/ui/trusted_types.ts";
import { METHODS, PRESETS, readConfig, writeConfig } from "../../src/ui/url_config.ts";
import { rowsInSight } from "../../src/ui/virtual_list.tsx";
import { fasterAdapterHelp, isIntegratedAdapter } from "../../src/ui/webgpu_help.ts";
import { whyPair } from "../../src/ui/why_pair.ts";

describe("decimation", () => {
  test("keeps every spike of ten thousand points, and no more than a few points per column", () => {
    const values = Array.from({ length: 10_000 }, (_, i) => (i === 4321 ? 99 : i === 8765 ? -99 : Math.sin(i / 50)));
    const kept = decimate(values, 300);
    expect(kept).toContain(4321);
    expect(kept).toContain(8765);
    expect(kept.length).toBeLessThanOrEqual(4 * 300);
    expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b));
    expect([kept[0], kept.at(-1)]).toEqual([0, 9999]);
  });

  test("leaves few points alone, and keeps gaps", () => {
    expect(decimate([1, null, 3], 300)).toEqual([0, 1, 2]);
    const gap = Array.from({ length: 5000 }, (_, i) => (i === 2500 ? null : i));
    expect(decimate(gap, 100)).toContain(2500);
  });
});

describe("charts as files", () => {
  test("ticks are round numbers within the range", () => {
    expect(ticks({ min: 0, max: 1 }, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(ticks({ min: 0.37, max: 0.71 }, 5)).toEqual([0.4, 0.5, 0.6, 0.7]);
  });

  test("an SVG holds title, legend and lines; what could be markup is text", () => {
    const run = emptyRun();
    for (const step of [0, 10]) {
      applyEvent(run, { type: "quiz", quiz: { step, "pass@1": 0.4 + step / 100, errors: { "A<b>": 3 }, replay: {} }, best: false }, 0);
    }
    const spec = chartsOf(run, "ap2o-h2l").find(({ id }) => id === "quiz_errors")!;
    const svg = chartSvg(spec, 0.8, () => "black");
    expect(svg).toContain("Quiz errors by type");
    expect(svg).toContain("A&lt;b&gt;");
    expect(svg).not.toContain("<b>");
    expect(svg.match(/<path /g)).toHaveLength(1);
  });

  test("marks at the lines' ends do not lie on each other, nor below the chart", () => {
    expect(spread([10, 11, 50], 12, 100)).toEqual([10, 22, 50]);
    expect(spread([90, 95, 99], 12, 100)).toEqual([76, 88, 100]);
  });

  test("CSV quotes texts and leaves gaps empty", () => {
    expect(
      csvOf(
        ["a", "b"],
        [
          ['x "y"', 1.5],
          [null, 2],
        ],
      ),
    ).toBe('"a","b"\r\n"x ""y""",1.5\r\n,2\r\n');
  });
});

describe("long lists", () => {
  test("only rows in sight are drawn, whatever the list's length", () => {
    const { first, last } = rowsInSight(20_000, 400, 40, 10_000);
    expect(first).toBeLessThanOrEqual(500);
    expect(last).toBeGreaterThanOrEqual(510);
    expect(last - first).toBeLessThan(30);
    expect(rowsInSight(0, 400, 40, 3)).toEqual({ first: 0, last: 3 });
    expect(rowsInSight(9000, 400, 40, 3)).toEqual({ first: 3, last: 3 }); // the list became shorter
  });

  test("ten thousand answers are filtered by outcome, task and text", () => {
    const run = emptyRun();
    for (let i = 0; i < 10_000; i++) {
      const wrong = i % 2 === 0;
      const answer: Answer = {
        task_id: `Demo/${i % 100}`,
        phase: "exam",
        sample_index: Math.floor(i / 100),
        split: "train",
        solution: `# Add.\ndef add(a):\n    return ${i}\n`,
        completion: `    return ${i}\n`,
        ended: "stop",
        verdict: wrong ? "wrong_answer" : "pass",
        error_type: wrong ? "AssertionError" : "",
        error_label: "",
        line: null,
        message: "",
        expected: null,
        got: null,
      };
      applyEvent(run, { type: "answer", answer }, 0);
    }
    expect(filterAnswers(run, { phase: "exam", outcome: "pass", text: "" })).toHaveLength(5000);
    expect(filterAnswers(run, { phase: "exam", outcome: "", text: "demo/7" })).toHaveLength(100);
    const [found, ...more] = filterAnswers(run, { phase: "exam", outcome: "", text: "return 9999" });
    expect(more).toEqual([]);
    expect(promptOf(found)).toBe("# Add.\ndef add(a):\n");
    expect(promptOf({ ...found, solution: "def add(a): ..." })).toBeNull();
  });
});

describe("what is dropped on the page", () => {
  const file = (name: string, path = "") => {
    const made = new File(["{}"], name);
    Object.defineProperty(made, "webkitRelativePath", { value: path });
    return made;
  };
  const kind = (...files: File[]) => sortDropped(files).kind;

  test("is told by its names", () => {
    expect(kind(file("run.zip"))).toBe("zip");
    expect(kind(file("mbpp.jsonl.gz"))).toBe("problems");
    expect(kind(file("mine.md"))).toBe("problems");
    expect(kind(file("config.json", "m/config.json"), file("model.safetensors", "m/model.safetensors"))).toBe("model");
    expect(kind(file("adapter_config.json"), file("adapter_model.safetensors"))).toBe("adapter");
    expect(kind(file("photo.png"))).toBe("unknown");
    expect(kind()).toBe("unknown");
  });
});

describe("the URL", () => {
  test("knows every method and preset that a run can have", () => {
    expect(METHODS.map(({ value }) => value).sort()).toEqual([...RUN_METHODS].sort());
    expect(PRESETS.map(({ value }) => value).sort()).toEqual(Object.keys(RUN_PRESETS).sort());
  });

  test("keeps view, lesson, compared runs and the GPU asked for", () => {
    const { config, ignored } = readConfig("?view=compare&lesson=first-run&compare=h2l,l2h&power=low");
    expect(config).toMatchObject({ view: "compare", lesson: "first-run", compare: ["h2l", "l2h"], power: "low-power" });
    expect(ignored).toEqual([]);
    expect(readConfig(writeConfig(config, "")).config).toEqual(config);
  });

  test("names a model and its hub, which are offered; what is neither is left out", () => {
    const asked = "?model=school%2Flittle%40v1%2Flittle.gguf&hub=http%3A%2F%2F192.168.0.2%3A8000";
    const { config, ignored } = readConfig(asked);
    expect(config).toMatchObject({ model: "school/little@v1/little.gguf", hub: "http://192.168.0.2:8000" });
    expect(readConfig(writeConfig(config, "")).config).toEqual(config);
    expect(ignored).toEqual([]);
    expect(readConfig("?model=javascript:alert(1)&hub=file:///etc").ignored).toEqual(["model=javascript:alert(1)", "hub=file:///etc"]);
  });

  test("with nonsense is named, not obeyed", () => {
    const { config, ignored } = readConfig("?view=moon&lesson=x&compare=h2l,nonsense&power=more");
    expect(config).toMatchObject({ view: "run", lesson: null, compare: ["h2l"], power: "high-performance" });
    expect(ignored).toEqual(["power=more", "view=moon", "lesson=x", "compare=nonsense"]);
  });
});

describe("why a pair was trained", () => {
  const pair: Preference = {
    step: 12,
    task_id: "Demo/1",
    prompt: "",
    chosen: "",
    chosen_index: 0,
    rejected_index: 3,
    chosen_ended: "stop",
    error_type: "NameError",
    epoch: 0.96,
    window: [2, 5],
    source: "window",
    probability: 0.25,
  };

  test("is told by window, replay or origin", () => {
    expect(whyPair(pair, 9).join(" ")).toContain("it covered answers 3 to 5 of 9");
    expect(whyPair(pair, 9).join(" ")).toContain("25.0 %");
    expect(whyPair({ ...pair, source: "replay" }, 9).join(" ")).toContain("still found NameError");
    expect(whyPair({ ...pair, window: [0, 9] }, 9).join(" ")).toContain("no window");
    expect(whyPair({ ...pair, origin: "codeflow" }, 9).join(" ")).toContain("repaired this answer itself");
    expect(whyPair({ ...pair, rejected_mask: [0, 1, 1] }, 9).at(-1)).toContain("counts 2 of its 3 tokens");
    const { rejected_index: _, ...sft } = pair;
    expect(whyPair(sft, 9)[0]).toContain("SFT");
  });
});

describe("machines", () => {
  test("graphics on the processor's chip are told apart, and how to get at the other", () => {
    expect(isIntegratedAdapter({ vendor: "intel", architecture: "gen-12lp", description: "" })).toBe(true);
    expect(isIntegratedAdapter({ vendor: "intel", architecture: "xe-hpg", description: "" })).toBe(false);
    expect(isIntegratedAdapter({ vendor: "nvidia", architecture: "ampere", description: "" })).toBe(false);
    expect(fasterAdapterHelp("Mozilla/5.0 (Windows NT 10.0; Win64; x64)")).toContain("High performance");
  });

  test("a frozen tab is told with what it did to the run", () => {
    expect(frozenText(300_000, true)).toContain("5 min 00 s. The run stood still");
    expect(frozenText(300_000, false)).not.toContain("run");
  });

  test("sizes and scripts' addresses", () => {
    expect([bytesText(2 ** 30), bytesText(128 * 2 ** 20), bytesText(1000)]).toEqual(["1.0 GiB", "128 MiB", "1 KiB"]);
    expect(ownAddress("/assets/worker.js", "https://a.test/x/")).toBe("/assets/worker.js");
    expect(() => ownAddress("https://b.test/x.js", "https://a.test/")).toThrow("not this page's own");
  });
});

describe("keys and lessons", () => {
  const press = (key: string) => keyAction({ key, ctrlKey: false, metaKey: false, altKey: false, target: null });

  test("digits open views, arrows wind a recorded run", () => {
    expect(press("3")).toEqual({ view: "compare" });
    expect([press("ArrowLeft"), press("ArrowRight"), press(" "), press("x")]).toEqual(["back", "on", "toggle", null]);
  });

  test("the type that fell furthest is the one that lost the largest share, among those that were frequent", () => {
    expect(fellFirst({ A: 100, B: 20, C: 2 }, { A: 60, B: 4 }, 10)).toBe("B");
    expect(fellFirst({ C: 2 }, {}, 10)).toBeNull();
  });
});
