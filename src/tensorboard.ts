// TensorBoard's event files, which hold scalars only here: records of the TFRecord format around protocol buffers (tensorflow/core/util/event.proto).

import { crc32c, joined } from "./bytes.ts";

export interface Scalar {
  readonly step: number;
  readonly tag: string;
  readonly value: number;
  /** Seconds since 1970. */
  readonly wallTime: number;
}

/** A line of metrics.jsonl as far as it holds numbers; what was no number is null there. */
export interface MetricRow {
  readonly step: number;
  readonly num_tokens: number;
  readonly tokens_per_second: number;
  readonly [name: string]: number | string | null | undefined;
}

export interface QuizRow {
  readonly step: number;
  readonly "pass@1": number;
  readonly errors: Readonly<Record<string, number>>;
}

/** Every number of a run's metrics and quizzes. Times are counted from the tokens and their rate; the last step is at `endSeconds`. */
export function scalarsOf(metrics: readonly MetricRow[], quizzes: readonly QuizRow[], endSeconds: number): Scalar[] {
  const took = metrics.map(({ num_tokens, tokens_per_second }, i) => (num_tokens - (metrics[i - 1]?.num_tokens ?? 0)) / tokens_per_second);
  const total = took.reduce((sum, seconds) => sum + seconds, 0);
  let at = endSeconds - total;
  const timeOf = new Map([[0, at], ...metrics.map(({ step }, i): [number, number] => [step, (at += took[i]!)])]);
  const scalar = (step: number, tag: string, value: number): Scalar => ({ step, tag, value, wallTime: timeOf.get(step) ?? endSeconds });
  const scalars = [
    ...metrics.flatMap(({ step, ...rest }) =>
      Object.entries(rest).flatMap(([tag, value]) => (typeof value === "number" ? [scalar(step, `train/${tag}`, value)] : [])),
    ),
    ...quizzes.flatMap(({ step, errors, ...rest }) => [
      scalar(step, "quiz/pass@1", rest["pass@1"]),
      ...Object.entries(errors).map(([type, count]) => scalar(step, `quiz_errors/${type}`, count)),
    ]),
  ];
  return scalars.sort((a, b) => a.step - b.step);
}

/** The name that TensorBoard looks for. */
export function eventFileName(scalars: readonly Scalar[]): string {
  return `events.out.tfevents.${Math.floor(scalars[0]?.wallTime ?? 0)}.errata`;
}

/** The bytes of an event file; scalars in the order of their steps. */
export function eventFile(scalars: readonly Scalar[]): Uint8Array {
  const start = Math.min(...scalars.map(({ wallTime }) => wallTime));
  const version = joined([wallTimeField(start), lengthDelimited(3, utf8("brain.Event:2"))]);
  return joined([record(version), ...scalars.map((scalar) => record(eventOf(scalar)))]);
}

function eventOf({ step, tag, value, wallTime }: Scalar): Uint8Array {
  const summaryValue = joined([lengthDelimited(1, utf8(tag)), floatField(2, value)]);
  return joined([wallTimeField(wallTime), varintField(2, step), lengthDelimited(5, lengthDelimited(1, summaryValue))]);
}

/** Length, its checksum, data, its checksum. */
function record(data: Uint8Array): Uint8Array {
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(data.length), true);
  return joined([length, checksum(length), data, checksum(data)]);
}

/** TFRecord's masked CRC-32C, so that a checksum of data that holds checksums is no easy one. */
function checksum(data: Uint8Array): Uint8Array {
  const crc = crc32c(data);
  const masked = (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, masked, true);
  return bytes;
}

// The four wire types that are needed: varint (0), 64 bits (1), length-delimited (2), 32 bits (5).

function wallTimeField(seconds: number): Uint8Array {
  const bytes = new Uint8Array(9);
  bytes[0] = (1 << 3) | 1;
  new DataView(bytes.buffer).setFloat64(1, seconds, true);
  return bytes;
}

function floatField(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(5);
  bytes[0] = (field << 3) | 5;
  new DataView(bytes.buffer).setFloat32(1, value, true);
  return bytes;
}

function varintField(field: number, value: number): Uint8Array {
  return Uint8Array.from([field << 3, ...varint(value)]);
}

function lengthDelimited(field: number, data: Uint8Array): Uint8Array {
  return joined([Uint8Array.from([(field << 3) | 2, ...varint(data.length)]), data]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 128);
  }
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
