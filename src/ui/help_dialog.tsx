import { useEffect, useRef } from "preact/hooks";
import { useSession } from "./session.ts";

const WORDS: readonly (readonly [string, string])[] = [
  ["pass@1", "The share of single answers that pass all tests of their problem. Held-out problems were never trained on."],
  ["Pair", "A right answer (chosen) and a wrong one (rejected) to the same problem. Training makes the first likelier than the second."],
  [
    "Window",
    "A problem's wrong answers stand in a row, by how frequent their error is. Training slides a window along that row: frequent errors first (H2L) or rare ones first (L2H).",
  ],
  ["Replay", "Errors that the last quiz still found are drawn again, beside those in the window."],
  [
    "Reward margin",
    "How much further training moved chosen answers up than rejected ones. It can grow while the model gets worse, so watch the quiz too.",
  ],
  ["Log-probability", "How likely the model finds a whole answer. If chosen falls together with rejected, training hurts."],
];

const KEYS: readonly (readonly [string, string])[] = [
  ["Space", "start, pause, resume"],
  ["S", "on to the end of the next training step"],
  ["← →", "two seconds back or on in a recorded run; from answer to answer in the notebook"],
  ["1 … 5", "the views"],
  ["?", "this help"],
  ["Esc", "close"],
];

/** The words of the page and its keys. */
export function HelpDialog() {
  const session = useSession();
  const dialog = useRef<HTMLDialogElement>(null);
  const open = session.helpOpen.value;
  useEffect(() => {
    if (open) dialog.current?.showModal();
  }, [open]);
  return (
    <dialog class="help" ref={dialog} aria-labelledby="help-title" onClose={() => (session.helpOpen.value = false)}>
      <div class="panel-head">
        <h2 id="help-title">What am I looking at?</h2>
        <button type="button" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </div>
      <p>
        A small language model answers Python problems. Its wrong answers are collected, sorted by error, and used to train it, right here
        in the browser. The method is called AP2O: exam, analysis, correction, quiz. Press Start and follow the yellow mark, or{" "}
        <button
          type="button"
          class="link"
          disabled={session.busy.value}
          onClick={() => {
            dialog.current?.close();
            session.beginLesson("first-run");
          }}
        >
          take the lesson
        </button>{" "}
        (ten minutes, no GPU needed).
      </p>
      <dl>
        {WORDS.map(([word, text]) => (
          <div key={word}>
            <dt>{word}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <h3>Keys</h3>
      <dl class="keys">
        {KEYS.map(([key, text]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </dialog>
  );
}
