// What Python's repr() shows of a value, for people: shortened, printable characters as they are.
import { typeName } from "./compare.ts";
import { codePoints, type PyValue } from "./value.ts";

const MAX_LENGTH = 400; // characters shown of a value
const UNSHOWABLE = /[\p{C}\p{Z}]/u; // controls, bidirectional marks, lone surrogates, odd spaces

function shownLiteral(literal: string): string {
  const quote = literal.slice(-1);
  const body = codePoints(literal).map((point) => {
    const character = String.fromCodePoint(point);
    if (character === quote || character === "\\") return `\\${character}`;
    if (point === 32 || !UNSHOWABLE.test(character)) return character;
    return escaped(point);
  });
  return quote + body.join("") + quote;
}

function escaped(point: number): string {
  const named: Record<number, string> = { 9: "\\t", 10: "\\n", 13: "\\r" };
  const hex = point.toString(16);
  return (
    named[point] ??
    (point < 256 ? `\\x${hex.padStart(2, "0")}` : point < 65536 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`)
  );
}

function shownFloat(value: number): string {
  if (Number.isNaN(value)) return "nan";
  return Number.isFinite(value) ? (Object.is(value, -0) ? "-0" : String(value)) : value > 0 ? "inf" : "-inf";
}

function items(values: readonly PyValue[]): string {
  return values.slice(0, MAX_LENGTH).map(whole).join(", ");
}

function whole(value: PyValue): string {
  switch (value.type) {
    case "none":
      return "None";
    case "bool":
      return value.value ? "True" : "False";
    case "int":
      return value.value.toString(2).length > 20_000 ? `<int of ${value.value.toString(16).length * 4} bits>` : String(value.value);
    case "float":
      return value.text;
    case "complex":
      return `(${shownFloat(value.real)}${value.imag < 0 ? "" : "+"}${shownFloat(value.imag)}j)`;
    case "str":
      return shownLiteral(value.literal);
    case "bytes":
      return value.literal;
    case "bytearray":
      return `bytearray(${value.literal})`;
    case "list":
      return `[${items(value.items)}]`;
    case "tuple":
      return value.items.length === 1 ? `(${items(value.items)},)` : `(${items(value.items)})`;
    case "set":
      return value.items.length ? `{${items(value.items)}}` : "set()";
    case "frozenset":
      return value.items.length ? `frozenset({${items(value.items)}})` : "frozenset()";
    case "deque":
      return `deque([${items(value.items)}])`;
    case "dict":
      return `{${value.entries
        .slice(0, MAX_LENGTH)
        .map(([key, of]) => `${whole(key)}: ${whole(of)}`)
        .join(", ")}}`;
    case "range":
      return value.step === 1n ? `range(${value.start}, ${value.stop})` : `range(${value.start}, ${value.stop}, ${value.step})`;
    case "fraction":
      return `Fraction(${value.numerator}, ${value.denominator})`;
    case "decimal":
      return `Decimal('${value.text}')`;
    case "type":
      return `<class '${value.name}'>`;
    case "digest":
      return `<${value.of} of too many ${value.of === "list" || value.of === "tuple" ? "items" : "characters"}>`;
    case "opaque":
      return `<${typeName(value)}>`;
  }
}

/** A value as Python's repr() shows it, cut to 400 characters. */
export function reprOf(value: PyValue): string {
  const text = whole(value);
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text;
}
