// The lessons by the names that the URL uses, and their steps. A step says what to do, and shows only the panels that it needs.
import type { View } from "../views.ts";

export type LessonName = "first-run";

/** What a step lets the page show beside the lesson's own panel. */
export type LessonPart = "strip" | "result" | "curves" | "notebook" | "playback" | "compare" | "transport";

export interface LessonStep {
  title: string;
  /** Paragraphs. */
  text: readonly string[];
  view: View;
  shows: readonly LessonPart[];
  /** A recorded run that the step plays from its start, by its id, or the runs that it compares. */
  plays?: string;
  compares?: readonly string[];
  /** Which error types the reader chooses from, and what is remembered until later steps. */
  asks?: "falls-first";
  /** Shows what was guessed beside what happened. */
  answers?: "falls-first";
}

export const LESSONS: readonly { name: LessonName; title: string; steps: readonly LessonStep[] }[] = [
  {
    name: "first-run",
    title: "A model learns from its mistakes",
    steps: [
      {
        title: "What it gets wrong",
        text: [
          "A small model was given 100 Python problems and wrote 32 answers to each. Every answer was run against tests. You see its failures, counted by the kind of error.",
          "WrongResult means that the program ran and gave something else than expected. The others are exceptions that Python raised. Click one and read a few of its answers below.",
        ],
        view: "run",
        shows: ["result", "notebook"],
        plays: "h2l",
      },
      {
        title: "A prediction",
        text: [
          "Now the model is trained on pairs: a wrong answer of its own beside a right one. It begins with the errors that are most frequent in each problem (high to low, H2L).",
          "Which kind of error will have lost the largest share of its count at the end? Choose one. A guess is enough; it is there to be compared with.",
        ],
        view: "run",
        shows: ["result"],
        asks: "falls-first",
      },
      {
        title: "The run",
        text: [
          "This is that training, recorded. The strip shows where it is: training (correction) and short tests (quiz) take turns. The notebook shows the pairs as they are trained.",
          "Watch two things: in the ribbon the yellow line, a window that slides over the wrong answers of a problem; and among the curves the last one, the quiz. A growing margin alone is no proof.",
        ],
        view: "run",
        shows: ["strip", "result", "curves", "notebook", "playback"],
        plays: "h2l",
      },
      {
        title: "Looking back",
        text: [
          "Before and after are counted on 60 problems that were never trained on, 10 answers each. The pale bar is before, the solid one after.",
          "Was it the one you chose? Frequent is not the same as hard: what is common is practised most, and what is one habit of the model falls faster than what has many causes.",
        ],
        view: "run",
        shows: ["result", "notebook"],
        answers: "falls-first",
      },
      {
        title: "Rare errors first",
        text: [
          "The same exam, trained in the other direction (low to high, L2H). Both runs are drawn over each other, and the table has their results.",
          "One run each, and one seed: differences of two points are within the noise. In the paper, too, the better direction depends on the model. Choose it on validation problems.",
        ],
        view: "compare",
        shows: ["compare"],
        compares: ["h2l", "l2h"],
      },
      {
        title: "Without replay",
        text: [
          "After each quiz the errors that it still found are mixed into the training again: replay. Here it was switched off.",
          "Choose NameError in the middle chart: without replay (B) it falls from 15 to 7 at step 60 and is back at 10 by the end. On the held-out problems WrongResult was down from 57 to 15 at step 60, and 40 steps later up at 39; with replay (A) it stayed at 15. One seed, but it is what replay is for.",
        ],
        view: "compare",
        shows: ["compare"],
        compares: ["h2l", "h2l-noreplay"],
      },
      {
        title: "Your turn",
        text: [
          "Leave the lesson, press Start and train the model on this machine. The quick look takes minutes even without a graphics card.",
          "Try another seed before you believe a difference.",
        ],
        view: "run",
        shows: ["strip", "result", "curves", "notebook", "playback", "transport"],
      },
    ],
  },
];
