import { describe, expect, test } from "vitest";
import { reprOf } from "../../src/python/repr.ts";
import { codePoints, decodeValue, textOf } from "../../src/python/value.ts";

describe("repr of decoded values", () => {
  test.each([
    ["N", "None"],
    ["i-ff;", "-255"],
    ["f1e-06;", "1e-06"],
    ["c1.5,-2.0;", "(1.5-2j)"],
    ["s'it\\'s \\xe9\\n'", "'it\\'s é\\n'"],
    ["s'\\u202e'", "'\\u202e'"],
    ["s'\\ud800'", "'\\ud800'"],
    ["(i1;)", "(1,)"],
    ["[i1;(T[]){}]", "[1, (True, []), set()]"],
    ["D(i1;)<i2;>E", "{(1,): frozenset({2})}"],
    ["Qi1;]", "deque([1])"],
    ["r0,5,1;", "range(0, 5)"],
    ["bb'\\x00a'", "b'\\x00a'"],
    ["/1,3;", "Fraction(1, 3)"],
    ["m1.50;", "Decimal('1.50')"],
    ["ylist;", "<class 'list'>"],
    ["O1'generator'", "<generator>"],
  ])("%s", (text, repr) => {
    expect(reprOf(decodeValue(text))).toBe(repr);
  });
  test("is cut", () => {
    expect(reprOf(decodeValue(`s'${"x".repeat(5000)}'`))).toHaveLength(401);
  });
});

describe("decoding", () => {
  test("strings keep their code points", () => {
    expect(codePoints("'a\\\\\\x00\\u20ac\\U0001f600'")).toEqual([97, 92, 0, 0x20ac, 0x1f600]);
    expect(textOf('"it\'s"')).toBe("it's");
  });
  test.each(["", "i", "i12", "ixyz;", "f;", "fone;", "s'a", "s'\\", "[i1;", "Di1;E", "i1;i2;", "Z", `${"[".repeat(500)}`, "r1,2;"])(
    "%j is refused",
    (text) => {
      expect(() => decodeValue(text)).toThrow("the encoded");
    },
  );
});
