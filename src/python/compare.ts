// Python's own rules for comparing honest values: 1 == 1.0 == True, tuple != list, nan equals nothing, containers item by item.
import { pythonString } from "../tasks/python_literal.ts";
import { codePoints, type PyValue } from "./value.ts";

/** The operation has no meaning for these values: what Python raises as TypeError (or ZeroDivisionError). */
export class PyError extends Error {
  readonly className: string;

  constructor(className: string, message: string) {
    super(message);
    this.className = className;
  }
}

/** A finite real number exactly, as a fraction in lowest terms. */
interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

function reduced(numerator: bigint, denominator: bigint): Rational {
  let [a, b] = [numerator < 0n ? -numerator : numerator, denominator];
  while (b) [a, b] = [b, a % b];
  return a > 1n ? { numerator: numerator / a, denominator: denominator / a } : { numerator, denominator };
}

function floatAsRational(value: number): Rational {
  if (Number.isInteger(value)) return { numerator: BigInt(value), denominator: 1n };
  let [scaled, denominator] = [value, 1n];
  while (!Number.isInteger(scaled)) {
    scaled *= 2; // exact
    denominator *= 2n;
  }
  return reduced(BigInt(scaled), denominator);
}

function decimalAsRational(text: string): Rational | null {
  const match = /^(-?)(\d*)\.?(\d*)(?:E([+-]?\d+))?$/i.exec(text);
  if (!match) return null;
  const [, sign, whole = "", part = "", exponent = "0"] = match;
  const power = Number(exponent) - part.length;
  if (Math.abs(power) > 5000) return null;
  const digits = BigInt(`${sign}${whole}${part}` || "0");
  return power >= 0 ? { numerator: digits * 10n ** BigInt(power), denominator: 1n } : reduced(digits, 10n ** BigInt(-power));
}

/** The exact value of a finite real number; null for anything else, inf and nan too. */
function asRational(value: PyValue): Rational | null {
  switch (value.type) {
    case "bool":
      return { numerator: value.value ? 1n : 0n, denominator: 1n };
    case "int":
      return { numerator: value.value, denominator: 1n };
    case "float":
      return Number.isFinite(value.value) ? floatAsRational(value.value) : null;
    case "fraction":
      return { numerator: value.numerator, denominator: value.denominator };
    case "decimal":
      return decimalAsRational(value.text);
    case "complex":
      return value.imag === 0 && Number.isFinite(value.real) ? floatAsRational(value.real) : null;
    default:
      return null;
  }
}

/** The float that a number is, rounded as Python does it; null for what is not a real number. */
export function asFloat(value: PyValue): number | null {
  switch (value.type) {
    case "bool":
      return value.value ? 1 : 0;
    case "int":
      return Number(value.value);
    case "float":
      return value.value;
    case "fraction":
      return Number(value.numerator) / Number(value.denominator);
    case "decimal":
      return Number(value.text.replace(/^(-?)(Infinity|s?NaN).*$/i, (_, sign, kind) => (/inf/i.test(kind) ? `${sign}Infinity` : "NaN")));
    default:
      return null;
  }
}

function isNumber(value: PyValue): boolean {
  return asFloat(value) !== null || value.type === "complex";
}

function numbersEqual(a: PyValue, b: PyValue): boolean {
  if (a.type === "float" && b.type === "float") return a.value === b.value;
  if (a.type === "complex" && b.type === "complex") return a.real === b.real && a.imag === b.imag;
  const [left, right] = [asRational(a), asRational(b)];
  if (left && right) return left.numerator === right.numerator && left.denominator === right.denominator;
  return left === null && right === null && asFloat(a) !== null && asFloat(a) === asFloat(b); // both infinite
}

let nanCount = 0;

/** A text that is the same for two values exactly when Python finds them equal as members of a set. */
function hashKey(value: PyValue): string {
  const rational = asRational(value);
  if (rational) return `n${rational.numerator}/${rational.denominator}`;
  switch (value.type) {
    case "float":
    case "decimal": {
      const number = asFloat(value);
      return Number.isNaN(number) ? `nan${nanCount++}` : `n${number}`;
    }
    case "complex":
      return `c${value.real},${value.imag}`;
    case "str":
      return `s${value.literal}`;
    case "bytes":
      return `b${value.literal}`;
    case "tuple":
      return `(${value.items.map(hashKey).join(" ")})`;
    case "frozenset":
      return `<${value.items.map(hashKey).sort().join(" ")}>`;
    case "none":
      return "N";
    case "type":
      return `y${value.name}`;
    case "range":
      return `r${rangeKey(value)}`;
    default:
      return `o${nanCount++}`; // not hashable or not readable: equal to nothing
  }
}

function rangeKey(range: { start: bigint; stop: bigint; step: bigint }): string {
  const span = range.step > 0n ? range.stop - range.start : range.start - range.stop;
  const size = range.step > 0n ? range.step : -range.step;
  const length = span > 0n ? (span + size - 1n) / size : 0n;
  return length === 0n ? "0" : length === 1n ? `1:${range.start}` : `${length}:${range.start}:${range.step}`;
}

function sequencesEqual(a: readonly PyValue[], b: readonly PyValue[]): boolean {
  return a.length === b.length && a.every((item, i) => equals(item, b[i]!));
}

function setsEqual(a: readonly PyValue[], b: readonly PyValue[]): boolean {
  return a.length === b.length && isSubset(a, b);
}

function isSubset(a: readonly PyValue[], b: readonly PyValue[]): boolean {
  const keys = new Set(b.map(hashKey));
  return a.every((item) => keys.has(hashKey(item)));
}

/** set(value): the members of an iterable, each once; null where Python raises. */
export function membersOf(value: PyValue): PyValue | null {
  const items = iterated(value);
  if (!items || items.some(isUnhashable)) return null;
  return { type: "set", items: [...new Map(items.map((item) => [hashKey(item), item])).values()] };
}

function iterated(value: PyValue): readonly PyValue[] | null {
  switch (value.type) {
    case "list":
    case "tuple":
    case "set":
    case "frozenset":
    case "deque":
      return value.items;
    case "dict":
      return value.entries.map(([key]) => key);
    case "str":
      return codePoints(value.literal).map((point) => ({ type: "str", literal: pythonString(String.fromCodePoint(point)) }));
    default:
      return null;
  }
}

function isUnhashable(value: PyValue): boolean {
  if (value.type === "tuple") return value.items.some(isUnhashable);
  return ["list", "dict", "set", "deque", "bytearray", "opaque"].includes(value.type);
}

function dictsEqual(a: PyValue & { type: "dict" }, b: PyValue & { type: "dict" }): boolean {
  if (a.entries.length !== b.entries.length) return false;
  const values = new Map(b.entries.map(([key, value]) => [hashKey(key), value]));
  return a.entries.every(([key, value]) => {
    const other = values.get(hashKey(key));
    return other !== undefined && equals(value, other);
  });
}

/** `a == b` as Python decides it for values of the built-in types; an opaque value equals nothing. */
export function equals(a: PyValue, b: PyValue): boolean {
  if (isNumber(a) && isNumber(b)) return numbersEqual(a, b);
  if ((a.type === "bytes" || a.type === "bytearray") && (b.type === "bytes" || b.type === "bytearray")) return a.literal === b.literal;
  if ((a.type === "set" || a.type === "frozenset") && (b.type === "set" || b.type === "frozenset")) return setsEqual(a.items, b.items);
  if (a.type === "dict" && b.type === "dict") return dictsEqual(a, b);
  if (a.type === "none" && b.type === "none") return true;
  if (a.type === "str" && b.type === "str") return a.literal === b.literal;
  if (a.type === "type" && b.type === "type") return a.name === b.name;
  if (a.type === "digest" && b.type === "digest") return a.of === b.of && a.sha256 === b.sha256;
  if (a.type === "range" && b.type === "range") return rangeKey(a) === rangeKey(b);
  for (const type of ["list", "tuple", "deque"] as const) {
    if (a.type === type && b.type === type) return sequencesEqual(a.items, b.items);
  }
  return false;
}

/** `a is b`, which can be told outside for None, True, False, types and, as CPython has it, small integers and short strings. */
export function identical(a: PyValue, b: PyValue): boolean {
  return a.type === b.type && ["none", "bool", "int", "str", "type"].includes(a.type) && equals(a, b);
}

/** bool(value). */
export function truthy(value: PyValue): boolean {
  switch (value.type) {
    case "none":
      return false;
    case "opaque":
      return value.truth;
    case "type":
    case "digest":
      return true;
    case "str":
      return value.literal.length > 2;
    case "bytes":
    case "bytearray":
      return value.literal.length > 3;
    case "dict":
      return value.entries.length > 0;
    case "range":
      return rangeKey(value) !== "0";
    case "complex":
      return value.real !== 0 || value.imag !== 0;
    case "list":
    case "tuple":
    case "set":
    case "frozenset":
    case "deque":
      return value.items.length > 0;
    default:
      return asFloat(value) !== 0;
  }
}

/** The name of a value's Python type. */
export function typeName(value: PyValue): string {
  if (value.type === "none") return "NoneType";
  if (value.type === "opaque") return value.name;
  if (value.type === "digest") return value.of;
  return value.type === "fraction" ? "Fraction" : value.type === "decimal" ? "Decimal" : value.type;
}

function compareNumbers(a: PyValue, b: PyValue): number {
  const [left, right] = [asRational(a), asRational(b)];
  if (!left || !right) {
    const [x, y] = [asFloat(a) ?? NaN, asFloat(b) ?? NaN];
    return x < y ? -1 : x > y ? 1 : x === y ? 0 : NaN;
  }
  const difference = left.numerator * right.denominator - right.numerator * left.denominator;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

function compareArrays<T>(a: readonly T[], b: readonly T[], same: (x: T, y: T) => boolean, order: (x: T, y: T) => number): number {
  const first = a.findIndex((item, i) => i >= b.length || !same(item, b[i]!));
  if (first < 0) return a.length - b.length;
  return first >= b.length ? 1 : order(a[first]!, b[first]!);
}

/**
 * Below 0, 0 or above 0 as a is less than, equal to or greater than b; NaN when neither (nan is among them).
 * @throws PyError TypeError for types that Python does not order
 */
export function compareOrder(a: PyValue, b: PyValue, sign: string): number {
  if (asFloat(a) !== null && asFloat(b) !== null) return compareNumbers(a, b);
  if ((a.type === "str" && b.type === "str") || (a.type === "bytes" && b.type === "bytes")) {
    const same = (x: number, y: number) => x === y;
    return compareArrays(codePoints(a.literal), codePoints(b.literal), same, (x, y) => x - y);
  }
  for (const type of ["list", "tuple", "deque"] as const) {
    if (a.type === type && b.type === type) return compareArrays(a.items, b.items, equals, (x, y) => compareOrder(x, y, sign));
  }
  if ((a.type === "set" || a.type === "frozenset") && (b.type === "set" || b.type === "frozenset")) {
    if (setsEqual(a.items, b.items)) return 0;
    return isSubset(a.items, b.items) ? -1 : isSubset(b.items, a.items) ? 1 : NaN;
  }
  throw new PyError("TypeError", `'${sign}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

/**
 * `item in container`.
 * @throws PyError TypeError when the container is none
 */
export function contains(container: PyValue, item: PyValue): boolean {
  switch (container.type) {
    case "list":
    case "tuple":
    case "deque":
      return container.items.some((member) => equals(member, item));
    case "set":
    case "frozenset":
      return isSubset([item], container.items);
    case "dict":
      return isSubset(
        [item],
        container.entries.map(([key]) => key),
      );
    case "str":
      if (item.type !== "str") throw new PyError("TypeError", `'in <string>' requires string as left operand, not ${typeName(item)}`);
      return `,${codePoints(container.literal).join()},`.includes(`,${codePoints(item.literal).join()},`) || item.literal.length === 2;
    case "range":
      return inRange(container, item);
    default:
      throw new PyError("TypeError", `argument of type '${typeName(container)}' is not a container or iterable`);
  }
}

function inRange(range: PyValue & { type: "range" }, item: PyValue): boolean {
  const value = asRational(item);
  if (value?.denominator !== 1n) return false;
  const offset = value.numerator - range.start;
  const inside = range.step > 0n ? offset >= 0n && value.numerator < range.stop : offset <= 0n && value.numerator > range.stop;
  return inside && offset % range.step === 0n;
}
