// The run that is killed again and again.

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
