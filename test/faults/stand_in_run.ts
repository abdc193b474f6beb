// A run on disk with stand-ins for model and sandbox: what a process does that is going to be killed. Everything about files is real.
import { join } from "node:path";
import { Run } from "../../src/ap2o/run.ts";
import { appendsOf } from "../../src/ap2o/run_files.ts";
import { diskFolder } from "../../src/cli/disk_folder.ts";
import { OutFolder } from "../../src/cli/out_folder.ts";
import { writeAdapter } from "../../src/model/peft.ts";
import { type RunHead, RunKeeper, readStoredRun } from "../../src/storage/run_store.ts";
import { FakeJudge, FakeStudent, fakeClock, fakeConfig, fakeProblems } from "../ap2o/fakes.ts";

/** Begins the run in the folder or goes on with it, to its end. */
export async function standInRun(path: string): Promise<void> {
  const config = fakeConfig({ exam_n: 6, evaluation_n: 3, quiz_n: 3, steps: 9, quiz_steps: 3, batch_size: 2 });
  const model = { id: "fake", dtype: "f32", sha256: "0" };
  const head: RunHead = { id: "run", started: "2026-01-01", preset: "smoke", config, model, problems: "0", device: "none", kernels: {} };
  const now = fakeClock();
  const out = new OutFolder(path);
  const folder = diskFolder(join(path, "unfinished"));
  const past = await readStoredRun(folder);
  const keeper = await (past ? RunKeeper.goOn(folder, past, now) : RunKeeper.begin(folder, head, now));
  const student = new FakeStudent({ gain: (step) => (step <= 6 ? 0.06 : -0.2) });
  const inputs = { preset: "smoke", config, problems: fakeProblems(4), student, judge: new FakeJudge(false), now, keeper };
  const run = new Run({ ...inputs, ...(past && { past }) });
  for await (const event of run.events()) for (const { file, text } of appendsOf(event)) out.append(file, text);
  await keeper.close();
  const { best, last, run: record } = await run.kept();
  for (const file of writeAdapter(best, "fake")) out.write(`adapter/${file.path}`, file.bytes);
  for (const file of writeAdapter(last, "fake")) out.write(`adapter_last/${file.path}`, file.bytes);
  out.write("run.json", JSON.stringify({ ...record, seconds: null }));
  await folder.remove("journal");
  out.remove("unfinished");
}
