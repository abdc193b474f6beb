// How a run's own work grows with its answers: exam, notebook, correction, storage and files, with a student and a judge that take no
// time, up to 100,000 answers. `npm run speed -- growth` writes it into docs/results/speed.md.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LastingStudent } from "../src/ap2o/lasting_student.ts";
import { makeNotebook } from "../src/ap2o/notebook.ts";
import { Run } from "../src/ap2o/run.ts";
import { appendsOf } from "../src/ap2o/run_files.ts";
import { diskFolder } from "../src/cli/disk_folder.ts";
import { OutFolder } from "../src/cli/out_folder.ts";
import { type RunHead, RunKeeper, readStoredRun } from "../src/storage/run_store.ts";
import { FakeJudge, FakeStudent, fakeConfig, fakeProblems } from "../test/ap2o/fakes.ts";

const SIZES = [1000, 3000, 10_000, 30_000, 100_000];
const ANSWERS_PER_PROBLEM = 20;
/** Time per answer may grow by this factor from the second size to the last: caches, garbage collection. What takes less than a second is not told apart from noise. */
const ALLOWED = 2;
const LEAST_SECONDS = 1;

/** Seconds of each part, at a number of answers. */
interface Measured {
  readonly answers: number;
  readonly seconds: Readonly<Record<string, number>>;
}

/** A table of seconds and of microseconds per answer, and a sentence for every part that grows faster than the answers. */
export async function measureGrowth(say: (what: string) => void): Promise<{ markdown: string; missed: string[] }> {
  const all: Measured[] = [];
  await runOf(SIZES[0]!); // compiled once, outside of what is measured
  for (const answers of SIZES) {
    say(`growth: ${answers} answers`);
    all.push(await runOf(answers));
  }
  const parts = Object.keys(all[0]!.seconds);
  const perAnswer = ({ answers, seconds }: Measured, part: string) => (1e6 * seconds[part]!) / answers;
  const row = (part: string) =>
    `| ${part} | ${all.map((m) => `${m.seconds[part]!.toFixed(2)} s, ${perAnswer(m, part).toFixed(0)} µs`).join(" | ")} |`;
  const head = ["answers", ...SIZES.map((n) => n.toLocaleString("en"))];
  const growth = (part: string) => perAnswer(all.at(-1)!, part) / perAnswer(all[1]!, part);
  const slow = parts.filter((part) => all.at(-1)!.seconds[part]! > LEAST_SECONDS && growth(part) > ALLOWED);
  const missed = slow.map((part) => `${part} takes ${growth(part).toFixed(1)} times as long per answer`);
  const lines = [head, head.map(() => "---")].map((cells) => `| ${cells.join(" | ")} |`);
  return { markdown: [...lines, ...parts.map(row)].join("\n"), missed };
}

/** A whole run on disk whose exam has that many answers: one epoch of pairs, quizzes, the evaluation of one problem; then its journal read again. */
async function runOf(answers: number): Promise<Measured> {
  const path = mkdtempSync(join(tmpdir(), "errata-growth-"));
  const problems = fakeProblems(answers / ANSWERS_PER_PROBLEM).filter(({ split, taskId }) => split === "train" || taskId.endsWith("/0"));
  const sizes = {
    training_problems: 0,
    validation_problems: 0,
    evaluation_problems: 0,
    exam_n: ANSWERS_PER_PROBLEM,
    quiz_n: 4,
    evaluation_n: 4,
  };
  const config = fakeConfig({ ...sizes, steps: 0, epochs: 1, quiz_steps: 0, batch_size: 16 });
  const model = { id: "fake", dtype: "f32", sha256: "0" };
  const head: RunHead = { id: "run", started: "2026-01-01", preset: "smoke", config, model, problems: "0", device: "none", kernels: {} };
  const now = () => performance.now();
  const folder = diskFolder(join(path, "unfinished"));
  const keeper = await RunKeeper.begin(folder, head, now);
  const out = new OutFolder(path);
  const student = await LastingStudent.open({ open: async () => new FakeStudent({ gain: () => 0, batch: 64 }), told: say, now });
  const run = new Run({ preset: "smoke", config, problems, student, judge: new FakeJudge(false), now, keeper });
  const seconds: Record<string, number> = {};
  const exam = new Map<string, Parameters<typeof makeNotebook>[0][number][number][]>();
  let part = "exam";
  let since = now();
  const next = (name: string) => {
    seconds[part] = (seconds[part] ?? 0) + (now() - since) / 1000;
    [part, since] = [name, now()];
  };
  for await (const event of run.events()) {
    if (event.type === "answer" && event.answer.phase === "exam") {
      exam.set(event.answer.task_id, [...(exam.get(event.answer.task_id) ?? []), event.answer]);
    }
    for (const { file, text } of appendsOf(event)) out.append(file, text);
    if (event.type === "notebook") next("correction"); // the evaluation before it, of one problem, is too short to tell apart
  }
  next("notebook");
  makeNotebook([...exam.values()], "paper", "problem");
  next("reading the journal");
  await keeper.close();
  const stored = await readStoredRun(folder);
  if (stored?.state.sittings.get("exam")?.answers.flat().length !== answers) throw new Error("the journal does not hold the exam");
  next("");
  rmSync(path, { recursive: true });
  return { answers, seconds };
}

function say(message: string): void {
  throw new Error(message); // a device that is not there cannot be lost
}
