// Progress on stderr: one live line on a terminal, else a plain line now and then, so that logs stay readable.

export interface Progress {
  /** What is going on now; replaces the live line. */
  show(text: string): void;
  /** Something worth keeping: a line of its own. */
  say(text: string): void;
  /** Ends the live line. */
  end(): void;
}

/** Seconds between plain lines. */
const PLAIN_EVERY = 5;

export function openProgress(stream: NodeJS.WriteStream, now: () => number = () => performance.now()): Progress {
  return stream.isTTY ? liveLine(stream) : plainLines(stream, now);
}

function liveLine(stream: NodeJS.WriteStream): Progress {
  let shown = false;
  const clear = () => {
    if (shown) stream.write("\r\x1b[K");
    shown = false;
  };
  return {
    show: (text) => {
      clear();
      stream.write(text.slice(0, Math.max(20, stream.columns - 1)));
      shown = true;
    },
    say: (text) => {
      clear();
      stream.write(`${text}\n`);
    },
    end: clear,
  };
}

function plainLines(stream: { write(text: string): unknown }, now: () => number): Progress {
  let last = Number.NEGATIVE_INFINITY;
  const say = (text: string) => {
    last = now();
    stream.write(`${text}\n`);
  };
  return {
    show: (text) => {
      if (now() - last >= PLAIN_EVERY * 1000) say(text);
    },
    say,
    end: () => {},
  };
}

/** "1 min 5 s" */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
