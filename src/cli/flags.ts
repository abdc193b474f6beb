// The flags of a command: one table gives parsing, checking and --help.
import { parseArgs } from "node:util";
import { InputError, messageOf } from "../input_error.ts";

export interface Flag<T> {
  /** What --help says. */
  readonly about: string;
  /** Placeholder of the value in --help; null for a switch. */
  readonly value: string | null;
  readonly short?: string;
  /** From the text given (switches: "true") to the value; throws an InputError that says what was expected. */
  readonly read: (text: string, flag: string) => T;
  /** The value where the flag is not given. */
  readonly initial: T;
}

export type Flags = Readonly<Record<string, Flag<unknown>>>;
export type Values<F extends Flags> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

type Extra = Partial<Pick<Flag<unknown>, "short">>;

export function textFlag<T extends string | null>(value: string, about: string, initial: T, extra: Extra = {}): Flag<string | T> {
  return { about, value, initial, read: (text) => text, ...extra };
}

export function choiceFlag<C extends string, T extends C | null>(choices: readonly C[], about: string, initial: T): Flag<C | T> {
  const read = (text: string, flag: string): C => {
    const choice = choices.find((candidate) => candidate === text);
    if (choice === undefined) throw new InputError(`--${flag} must be one of ${choices.join(", ")}; found ${text}.`);
    return choice;
  };
  return { about, value: choices.join("|"), initial, read };
}

export function switchFlag(about: string): Flag<boolean> {
  return { about, value: null, initial: false, read: () => true };
}

export interface Range {
  readonly integer?: boolean;
  readonly min?: number;
  readonly max?: number;
}

export function numberFlag<T extends number | null>(
  value: string,
  about: string,
  initial: T,
  range: Range = {},
  extra: Extra = {},
): Flag<number | T> {
  return { about, value, initial, read: (text, flag) => readNumber(text, flag, range), ...extra };
}

/** A comma-separated list. */
export function listFlag<E, T extends readonly E[] | null>(
  value: string,
  about: string,
  initial: T,
  readEach: (text: string, flag: string) => E,
  extra: Extra = {},
): Flag<readonly E[] | T> {
  return { about, value, initial, read: (text, flag) => text.split(",").map((part) => readEach(part.trim(), flag)), ...extra };
}

/** A number within `range`, or an InputError that says what --flag takes. */
export function readNumber(text: string, flag: string, { integer = false, min = -Infinity, max = Infinity }: Range): number {
  const number = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isFinite(number) && (!integer || Number.isInteger(number)) && number >= min && number <= max) return number;
  const kind = integer ? "a whole number" : "a number";
  const bounds = [min > -Infinity ? `at least ${min}` : "", max < Infinity ? `at most ${max}` : ""].filter((bound) => bound !== "");
  throw new InputError(`--${flag} must be ${[kind, bounds.join(" and ")].filter((part) => part !== "").join(", ")}; found ${text}.`);
}

/** Reads a command's arguments. Throws an InputError for an unknown flag, a missing or bad value, or anything that is no flag. */
export function readFlags<F extends Flags>(command: string, flags: F, args: readonly string[]): Values<F> {
  const given = parse(command, flags, args);
  const values = Object.entries(flags).map(([name, flag]) => {
    const value = given[name];
    return [name, value === undefined ? flag.initial : flag.read(String(value), name)];
  });
  return Object.fromEntries(values);
}

function parse(command: string, flags: Flags, args: readonly string[]): Record<string, unknown> {
  const options = Object.entries(flags).map(([name, { value, short }]) => {
    const type = value === null ? ("boolean" as const) : ("string" as const);
    return [name, { type, ...(short !== undefined && { short }) }] as const;
  });
  try {
    return parseArgs({ args: [...args], options: Object.fromEntries(options), strict: true, allowPositionals: false }).values;
  } catch (error) {
    const [sentence] = messageOf(error).split(/\. |\n/);
    throw new InputError(`${sentence?.replace(/\.$/, "")}; errata ${command} --help lists the flags.`);
  }
}

/** The lines of --help that describe the flags. */
export function describeFlags(flags: Flags): string {
  const rows = Object.entries(flags).map(([name, flag]) => {
    const short = flag.short === undefined ? "" : `-${flag.short}, `;
    const left = `  ${short}--${name}${flag.value === null ? "" : ` ${flag.value}`}`;
    const initial = flag.value === null || flag.initial === null ? "" : String(flag.initial);
    return { left, right: initial === "" ? flag.about : `${flag.about} (${initial})` };
  });
  const width = Math.min(34, Math.max(...rows.map(({ left }) => left.length)));
  return rows
    .map(({ left, right }) => (left.length > width ? `${left}\n${" ".repeat(width + 2)}${right}` : `${left.padEnd(width + 2)}${right}`))
    .join("\n");
}
