// The run that is killed, and run, again and again.

/** The loop at its smallest: every stage is there, two quizzes and several checkpoints among them. */
export const SETTINGS = {
  training_problems: 3,
  validation_problems: 1,
  evaluation_problems: 1,
  exam_n: 8,
  evaluation_n: 2,
  quiz_n: 2,
  steps: 4,
  quiz_steps: 2,
  batch_size: 2,
  max_new_tokens: 40,
};

/** To be run in a page before anything else: settings are put into its commands to the engine. @param {Record<string, number>} settings */
export function shrinkRuns(settings) {
  const post = Worker.prototype.postMessage;
  Worker.prototype.postMessage = function (/** @type {any} */ message, /** @type {any} */ transfer) {
    if (message.type === "start") message.run.overrides = settings;
    return post.call(this, message, transfer);
  };
}
