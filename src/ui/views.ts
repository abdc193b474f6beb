// The views by the names that the URL uses.

export type View = "run" | "curves" | "compare" | "answers" | "machine";

export const VIEWS: readonly { value: View; label: string; purpose: string }[] = [
  { value: "run", label: "Run", purpose: "The loop as it goes: stations, errors, notebook" },
  { value: "curves", label: "Curves", purpose: "Every metric of the training, as chart, table and file" },
  { value: "compare", label: "Compare", purpose: "Two or more runs over each other" },
  { value: "answers", label: "Answers", purpose: "Any problem and all of its answers; ask the model a prompt" },
  { value: "machine", label: "Machine", purpose: "GPU, model, problems, adapters" },
];
