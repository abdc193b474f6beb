// errata why: why a step was trained on its pairs.
import { reasonsOf, wordsOf } from "../ap2o/why.ts";
import { InputError } from "../input_error.ts";
import type { Command } from "./command.ts";
import { numberFlag, switchFlag, textFlag } from "./flags.ts";
import { callerPath } from "./paths.ts";
import { readRunFiles } from "./run_folder.ts";

const flags = {
  run: textFlag("FOLDER", "the run's folder", null),
  step: numberFlag("N", "the optimiser step, from 1", null, { integer: true, min: 1 }),
  json: switchFlag("one JSON line, with the answers, the order and the chances"),
} as const;

export const whyCommand: Command<typeof flags> = {
  name: "why",
  summary: "why a step was trained on its pairs",
  description: `Tells for each pair of an optimiser step its problem, its answers, the error type, the window (epoch, width, indices) in the order of the
problem's failed answers, whether the rejected answer came from the window or from replay and with what probability, the quiz behind the
replay, and the seeds. The probability is worked out anew from notebook.json and quizzes.jsonl; should it not be the one that was
recorded, that is said.

  errata why --run RUN --step 12`,
  flags,
  run: async (values, { print }) => {
    if (values.run === null) throw new InputError("Say which run: --run FOLDER.");
    if (values.step === null) throw new InputError("Say which optimiser step: --step N.");
    const files = readRunFiles(callerPath(values.run));
    const reasons = reasonsOf(files, values.step);
    if (reasons.length === 0) {
      const last = files.preferences.at(-1)?.step ?? 0;
      throw new InputError(`The run has no pairs of step ${values.step}: it took steps 1 to ${last}.`);
    }
    if (values.json) return print(JSON.stringify({ method: files.method, rule: files.rule, step: values.step, pairs: reasons }));
    print(`Step ${values.step} of ${files.method} (rule ${files.rule}): ${reasons.length} pairs`);
    for (const reason of reasons) {
      print(`\n${wordsOf(reason, files.method)}`);
      const again = reason.probability_again;
      if (again !== null && Math.abs(again - reason.probability) > 1e-12)
        print(`  NOTE      the files give ${again}, not the ${reason.probability} that was recorded`);
    }
    const { seed } = reasons[0]!;
    if (seed !== null)
      print(`\nSeed ${seed}; src/random.ts says how seed, stream and index make a number, and how a stream shuffles a list.`);
  },
};
