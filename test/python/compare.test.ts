import { describe, expect, test } from "vitest";
import { compareOrder, contains, equals, PyError, truthy } from "../../src/python/compare.ts";
import { decodeValue } from "../../src/python/value.ts";

const same = (a: string, b: string) => equals(decodeValue(a), decodeValue(b));

describe("== by Python's rules", () => {
  test.each([
    ["1 == 1.0 == True", "i1;", "f1.0;"],
    ["True == 1", "T", "i1;"],
    ["0.0 == -0.0", "f0.0;", "f-0.0;"],
    ["[1, True] == [1.0, 1]", "[i1;T]", "[f1.0;i1;]"],
    ["a big int and its float", "i20000000000000;", "f9007199254740992.0;"],
    ["1j + 0 == complex", "c0.0,1.0;", "c0.0,1.0;"],
    ["2 == 2+0j", "i2;", "c2.0,0.0;"],
    ["inf", "finf;", "finf;"],
    ["sets in any order, 1 and 1.0 alike", "{i1;s'a'}", "{s'a'f1.0;}"],
    ["set == frozenset", "{i1;}", "<i1;>"],
    ["nested frozensets", "{<i1;i2;>}", "{<i2;f1.0;>}"],
    ["dicts in any order", "Ds'a'i1;s'b'[]E", "Ds'b'[]s'a'TE"],
    ["dict keys 1 and True", "Di1;NE", "DTNE"],
    ["bytes == bytearray", "b b'a'".replace(" ", ""), "Bb'a'"],
    ["equal ranges written differently", "r0,3,2;", "r0,4,2;"],
    ["empty ranges", "r0,0,1;", "r5,2,1;"],
    ["Fraction(1, 2) == 0.5", "/1,2;", "f0.5;"],
    ["Decimal('0.5') == Fraction(1, 2)", "m0.5;", "/1,2;"],
    ["Decimal('1E+2') == 100", "m1E+2;", "i64;"],
    ["types", "yint;", "yint;"],
  ])("%s", (_, a, b) => {
    expect(same(a, b)).toBe(true);
    expect(same(b, a)).toBe(true);
  });

  test.each([
    ["tuple != list", "(i1;)", "[i1;]"],
    ["nan != nan", "fnan;", "fnan;"],
    ["nan in a list", "[fnan;]", "[fnan;]"],
    ["nan in a set", "{fnan;}", "{fnan;}"],
    ["1 != '1'", "i1;", "s'1'"],
    ["None != False", "N", "F"],
    ["an int that a float cannot hold", "i20000000000001;", "f9007199254740992.0;"],
    ["0.1 + 0.2 != 0.3", "f0.30000000000000004;", "f0.3;"],
    ["Decimal('0.1') != 0.1", "m0.1;", "f0.1;"],
    ["str != bytes", "s'a'", "bb'a'"],
    ["a lone surrogate pair is not the character", "s'\\ud83d\\ude00'", "s'\\U0001f600'"],
    ["lists of different length", "[i1;i2;]", "[i1;]"],
    ["dicts with other keys", "Di1;i2;E", "Di2;i2;E"],
    ["dicts with other values", "Di1;i2;E", "Di1;i3;E"],
    ["an opaque value is not even itself", "O1'Yes'", "O1'Yes'"],
    ["an opaque member", "[O1'Yes']", "[i3;]"],
    ["inf != -inf", "finf;", "f-inf;"],
    ["deque != list", "Qi1;]", "[i1;]"],
    ["ranges", "r0,3,1;", "[i0;i1;i2;]"],
  ])("%s", (_, a, b) => {
    expect(same(a, b)).toBe(false);
    expect(same(b, a)).toBe(false);
  });
});

describe("order, membership, truth", () => {
  const order = (a: string, b: string) => compareOrder(decodeValue(a), decodeValue(b), "<");
  test("numbers of different types are ordered exactly", () => {
    expect(order("i1;", "f1.5;")).toBeLessThan(0);
    expect(order("i20000000000001;", "f9007199254740992.0;")).toBeGreaterThan(0);
    expect(order("T", "i1;")).toBe(0);
    expect(order("fnan;", "i1;")).toBeNaN();
    expect(order("i5;", "finf;")).toBeLessThan(0);
  });
  test("strings by code points, sequences item by item", () => {
    expect(order("s'B'", "s'a'")).toBeLessThan(0);
    expect(order("s'\\uffff'", "s'\\U00010000'")).toBeLessThan(0); // UTF-16 would say otherwise
    expect(order("[i1;i2;]", "[i1;i3;]")).toBeLessThan(0);
    expect(order("(i1;)", "(i1;i0;)")).toBeLessThan(0);
  });
  test("sets by inclusion", () => {
    expect(order("{i1;}", "{i1;i2;}")).toBeLessThan(0);
    expect(order("{i1;}", "{i2;}")).toBeNaN();
  });
  test("types that Python does not order are a TypeError", () => {
    expect(() => order("N", "i1;")).toThrow(PyError);
    expect(() => order("N", "i1;")).toThrow("'<' not supported between instances of 'NoneType' and 'int'");
  });
  test("in", () => {
    const isIn = (container: string, item: string) => contains(decodeValue(container), decodeValue(item));
    expect(isIn("[i1;i2;]", "f2.0;")).toBe(true);
    expect(isIn("Ds'a'i1;E", "s'a'")).toBe(true);
    expect(isIn("s'hello'", "s'ell'")).toBe(true);
    expect(isIn("s'1,2'", "s'12'")).toBe(false);
    expect(isIn("s'x'", "s''")).toBe(true);
    expect(isIn("r0,a,3;", "i6;")).toBe(true);
    expect(isIn("r0,a,3;", "i7;")).toBe(false);
    expect(() => isIn("i1;", "i1;")).toThrow("argument of type 'int'");
  });
  test.each(["N", "F", "i0;", "f0.0;", "s''", "bb''", "[]", "()", "{}", "DE", "r0,0,1;", "c0.0,0.0;", "/0,1;", "O0'dict_keys'"])(
    "%s is false",
    (text) => {
      expect(truthy(decodeValue(text))).toBe(false);
    },
  );
  test.each(["T", "i-1;", "fnan;", "s'0'", "bb'a'", "[N]", "(N)", "{N}", "DNNE", "r0,1,1;", "c0.0,1.0;", "O1'generator'", "yint;"])(
    "%s is true",
    (text) => {
      expect(truthy(decodeValue(text))).toBe(true);
    },
  );
});
