// JSON as Python source, exactly: 1.0 stays a float and long integers keep their digits, which JSON.parse would lose. Python's own
// NaN and Infinity are read too.

/** A value as Python writes it. */
export type Literal =
  /** `text` is there for a string: its characters. */
  | { readonly kind: "atom"; readonly source: string; readonly text?: string }
  | { readonly kind: "list" | "tuple" | "set"; readonly items: readonly Literal[] }
  | { readonly kind: "dict"; readonly entries: readonly (readonly [key: string, value: Literal])[] };

const WORDS: Readonly<Record<string, string>> = {
  true: "True",
  false: "False",
  null: "None",
  NaN: "float('nan')",
  Infinity: "float('inf')",
  "-Infinity": "float('-inf')",
};
const TOKEN = /\s*(?:("(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null|NaN|-?Infinity)|([[\]{},:]))/y;
const MAX_DEPTH = 200;

/**
 * Reads a JSON text.
 * @throws SyntaxError where it is none
 */
export function parseLiteral(text: string): Literal {
  const reader = new LiteralReader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

/**
 * The texts of a JSON list's items.
 * @throws SyntaxError where the text is no list
 */
export function listItems(text: string): string[] {
  return new LiteralReader(text).itemTexts();
}

class LiteralReader {
  private at = 0;
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  value(depth: number): Literal {
    if (depth > MAX_DEPTH) throw new SyntaxError(`values are nested deeper than ${MAX_DEPTH}`);
    const token = this.next();
    if (token === "[") return { kind: "list", items: this.members("]", () => this.value(depth + 1)) };
    if (token === "{") return { kind: "dict", entries: this.members("}", () => this.entry(depth)) };
    if (token.startsWith('"')) return stringAtom(stringOf(token));
    if (/^-?\d/.test(token)) return { kind: "atom", source: token };
    const word = WORDS[token];
    if (word === undefined) throw this.unexpected(token);
    return { kind: "atom", source: word };
  }

  end(): void {
    const rest = this.text.slice(this.at).trim();
    if (rest !== "") throw this.unexpected(rest.slice(0, 20));
  }

  itemTexts(): string[] {
    const open = this.next();
    if (open !== "[") throw this.unexpected(open);
    const texts = this.members("]", () => {
      const from = this.at;
      this.value(1);
      return this.text.slice(from, this.at).trim();
    });
    this.end();
    return texts;
  }

  private entry(depth: number): readonly [string, Literal] {
    const key = this.next();
    if (!key.startsWith('"')) throw this.unexpected(key);
    const colon = this.next();
    if (colon !== ":") throw this.unexpected(colon);
    return [stringOf(key), this.value(depth + 1)];
  }

  private members<T>(closing: string, read: () => T): T[] {
    const members: T[] = [];
    if (this.peek() === closing) {
      this.next();
      return members;
    }
    for (;;) {
      members.push(read());
      const token = this.next();
      if (token === closing) return members;
      if (token !== ",") throw this.unexpected(token);
    }
  }

  private peek(): string {
    const before = this.at;
    const token = this.next();
    this.at = before;
    return token;
  }

  private next(): string {
    TOKEN.lastIndex = this.at;
    const match = TOKEN.exec(this.text);
    if (!match) throw this.unexpected(this.text.slice(this.at, this.at + 20));
    this.at = TOKEN.lastIndex;
    return match[0].trimStart();
  }

  private unexpected(found: string): SyntaxError {
    return new SyntaxError(found === "" ? "the JSON ends too early" : `unexpected ${found} at character ${this.at}`);
  }
}

function stringOf(token: string): string {
  const text: unknown = JSON.parse(token);
  if (typeof text !== "string") throw new SyntaxError(`expected a string, found ${token.slice(0, 20)}`);
  return text;
}

function stringAtom(text: string): Literal {
  return { kind: "atom", source: pythonString(text), text };
}

/** A string as a Python literal, in ASCII. */
export function pythonString(text: string): string {
  let body = "";
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    if (character === "\\" || character === "'") body += `\\${character}`;
    else if (point >= 32 && point < 127) body += character;
    else if (character === "\n") body += "\\n";
    else body += point < 65536 ? `\\u${point.toString(16).padStart(4, "0")}` : `\\U${point.toString(16).padStart(8, "0")}`;
  }
  return `'${body}'`;
}

/** The Python source of a value. */
export function literalSource(value: Literal): string {
  switch (value.kind) {
    case "atom":
      return value.source;
    case "list":
      return `[${value.items.map(literalSource).join(", ")}]`;
    case "tuple":
      return value.items.length === 1 ? `(${literalSource(value.items[0]!)},)` : `(${value.items.map(literalSource).join(", ")})`;
    case "set":
      return value.items.length === 0 ? "set()" : `{${value.items.map(literalSource).join(", ")}}`;
    case "dict":
      return `{${value.entries.map(([key, item]) => `${pythonString(key)}: ${literalSource(item)}`).join(", ")}}`;
  }
}

/** The items of a list, tuple or set; of anything else none. */
export function itemsOf(value: Literal | undefined): readonly Literal[] {
  return value !== undefined && value.kind !== "atom" && value.kind !== "dict" ? value.items : [];
}

/** A list as a tuple; anything else as it is. */
export function asTuple(value: Literal): Literal {
  return value.kind === "list" ? { kind: "tuple", items: value.items } : value;
}

/** The value of a dict's key. */
export function fieldOf(value: Literal, key: string): Literal | undefined {
  return value.kind === "dict" ? value.entries.find(([name]) => name === key)?.[1] : undefined;
}
