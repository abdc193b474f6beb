// Python values outside Python: what the sandbox's encoder (sandbox/encode.py) writes, read into exact types.
//
// value = N | T | F | i HEX ; | f REPR ; | c REPR , REPR ; | s LITERAL | b LITERAL | B LITERAL (bytearray) | [ value* ] list
//       | ( value* ) tuple | { value* } set | < value* > frozenset | Q value* ] deque | D (key value)* E dict
//       | h TYPE , HEX ; digest of a value too large to go out | r HEX , HEX , HEX ; range | / HEX , HEX ; Fraction | m TEXT ; Decimal | y NAME ; type | O TRUTH LITERAL opaque
// LITERAL is Python's ascii() of the string or bytes.

export type PyValue =
  | { readonly type: "none" }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "int"; readonly value: bigint }
  | { readonly type: "float"; readonly value: number; readonly text: string }
  | { readonly type: "complex"; readonly real: number; readonly imag: number }
  /** The literal tells strings apart that JavaScript cannot (pairs of lone surrogates). */
  | { readonly type: "str"; readonly literal: string }
  | { readonly type: "bytes" | "bytearray"; readonly literal: string }
  | { readonly type: "list" | "tuple" | "set" | "frozenset" | "deque"; readonly items: readonly PyValue[] }
  | { readonly type: "dict"; readonly entries: readonly (readonly [PyValue, PyValue])[] }
  | { readonly type: "range"; readonly start: bigint; readonly stop: bigint; readonly step: bigint }
  | { readonly type: "fraction"; readonly numerator: bigint; readonly denominator: bigint }
  | { readonly type: "decimal"; readonly text: string }
  | { readonly type: "type"; readonly name: string }
  /** A value too large to go out whole: the SHA-256 of its text. */
  | { readonly type: "digest"; readonly of: string; readonly sha256: string }
  /** Anything else, too large or too deep: known by the name of its type and its truth only. It equals nothing. */
  | { readonly type: "opaque"; readonly name: string; readonly truth: boolean };

const MAX_DEPTH = 80; // the encoder stops at 64
const NONE: PyValue = { type: "none" };
const CLOSING: Readonly<Record<string, string>> = { "[": "]", "(": ")", "{": "}", "<": ">", Q: "]", D: "E" };

class ValueReader {
  private at = 0;
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  whole(): PyValue {
    const value = this.value(0);
    if (this.at !== this.text.length) throw new Error(`the encoded value goes on after its end, at character ${this.at}`);
    return value;
  }

  private value(depth: number): PyValue {
    if (depth > MAX_DEPTH) throw new Error("the encoded value is nested too deep");
    const tag = this.text[this.at++];
    if (tag !== undefined && tag in CLOSING) return this.container(tag, depth);
    switch (tag) {
      case "N":
        return NONE;
      case "T":
      case "F":
        return { type: "bool", value: tag === "T" };
      case "i":
        return { type: "int", value: readHex(this.until(";")) };
      case "f":
        return readFloat(this.until(";"));
      case "c":
        return { type: "complex", real: readFloat(this.until(",")).value, imag: readFloat(this.until(";")).value };
      case "s":
        return { type: "str", literal: this.literal() };
      case "b":
        return { type: "bytes", literal: this.literal() };
      case "B":
        return { type: "bytearray", literal: this.literal() };
      case "r":
        return { type: "range", start: readHex(this.until(",")), stop: readHex(this.until(",")), step: readHex(this.until(";")) };
      case "/":
        return { type: "fraction", numerator: readHex(this.until(",")), denominator: readHex(this.until(";")) };
      case "h":
        return { type: "digest", of: this.until(","), sha256: this.until(";") };
      case "m":
        return { type: "decimal", text: this.until(";") };
      case "y":
        return { type: "type", name: this.until(";") };
      case "O": {
        const truth = this.text[this.at++] === "1";
        return { type: "opaque", truth, name: textOf(this.literal()) };
      }
      default:
        throw new Error(`the encoded value has an unknown mark at character ${this.at - 1}`);
    }
  }

  private container(tag: string, depth: number): PyValue {
    const closing = CLOSING[tag];
    const items: PyValue[] = [];
    while (this.text[this.at] !== closing) items.push(this.value(depth + 1));
    this.at++;
    switch (tag) {
      case "[":
        return { type: "list", items };
      case "(":
        return { type: "tuple", items };
      case "{":
        return { type: "set", items };
      case "<":
        return { type: "frozenset", items };
      case "Q":
        return { type: "deque", items };
      default:
        if (items.length % 2) throw new Error("the encoded dict has a key without a value");
        return { type: "dict", entries: pairs(items) };
    }
  }

  private until(end: string): string {
    const to = this.text.indexOf(end, this.at);
    if (to < 0) throw new Error(`the encoded value ends inside a number or name, after character ${this.at}`);
    const part = this.text.slice(this.at, to);
    this.at = to + 1;
    return part;
  }

  /** A Python literal with its quotes, and its b before them. */
  private literal(): string {
    const from = this.at;
    if (this.text[this.at] === "b") this.at++;
    const quote = this.text[this.at++];
    if (quote !== "'" && quote !== '"') throw new Error(`the encoded value lacks a quote at character ${this.at - 1}`);
    while (this.text[this.at] !== quote) {
      if (this.at >= this.text.length) throw new Error("the encoded value ends inside a string");
      this.at += this.text[this.at] === "\\" ? 2 : 1;
    }
    return this.text.slice(from, ++this.at);
  }
}

function pairs(items: readonly PyValue[]): [PyValue, PyValue][] {
  const entries: [PyValue, PyValue][] = [];
  for (let i = 0; i < items.length; i += 2) entries.push([items[i]!, items[i + 1]!]);
  return entries;
}

function readHex(text: string): bigint {
  if (!/^-?[0-9a-f]+$/.test(text)) throw new Error(`the encoded value has a broken integer (${text.slice(0, 20)})`);
  return text.startsWith("-") ? -BigInt(`0x${text.slice(1)}`) : BigInt(`0x${text}`);
}

function readFloat(text: string): { type: "float"; value: number; text: string } {
  const special: Record<string, number> = { inf: Infinity, "-inf": -Infinity, nan: NaN, "-nan": NaN };
  const value = special[text] ?? Number(text);
  if (text === "" || (Number.isNaN(value) && !text.endsWith("nan")))
    throw new Error(`the encoded value has a broken float (${text.slice(0, 20)})`);
  return { type: "float", value, text };
}

/**
 * Reads an encoded value.
 * @throws Error when the text is not one whole value of the grammar above
 */
export function decodeValue(text: string): PyValue {
  return new ValueReader(text).whole();
}

const ESCAPES: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, "\\": 92, "'": 39, '"': 34 };

/** The code points (or bytes) of a Python literal as ascii() writes it. */
export function codePoints(literal: string): number[] {
  const body = literal.slice(literal.startsWith("b") ? 2 : 1, -1);
  const points: number[] = [];
  for (let i = 0; i < body.length; i++) {
    if (body[i] !== "\\") {
      points.push(body.charCodeAt(i));
      continue;
    }
    const kind = body[++i] ?? "";
    const digits = kind === "x" ? 2 : kind === "u" ? 4 : kind === "U" ? 8 : 0;
    points.push(digits ? Number.parseInt(body.slice(i + 1, i + 1 + digits), 16) : (ESCAPES[kind] ?? kind.charCodeAt(0)));
    i += digits;
  }
  return points;
}

/** The text of a Python literal as a JavaScript string. */
export function textOf(literal: string): string {
  return codePoints(literal)
    .map((point) => String.fromCodePoint(point))
    .join("");
}
