// What `npm run verify` asks of a part: a list of steps, each of which finds something out and says it in Markdown.

export interface Finding {
  readonly markdown: string;
  /** A sentence for each figure that was missed. */
  readonly missed: string[];
}

export interface Context {
  /** The path of a file in the data folder. */
  data(name: string): string;
  say(text: string): void;
}

export interface Step {
  readonly name: string;
  readonly title: string;
  /** Files of the data folder. */
  readonly needs: readonly string[];
  run(context: Context): Promise<Finding>;
}

export interface Part {
  readonly title: string;
  readonly about: string;
  readonly steps: readonly Step[];
  /** In docs/results; NAME.md unless told. */
  readonly file?: string;
}
