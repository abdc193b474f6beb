"""Where the items come from: a list, the digits of a number, the words of a text ... and how Python walks over them."""

import random
from dataclasses import dataclass, field
from typing import Callable

import conditions as c
import operations as o

Maker = Callable[[random.Random, str, str], list[object]]


@dataclass(frozen=True)
class Loop:
    """A loop with a line `$do` where the operation goes; `offers` are the needs it meets."""

    text: str
    offers: tuple[str, ...] = ("ordered",)


@dataclass(frozen=True)
class Source:
    name: str
    args: str
    noun: str
    where: tuple[str, ...]
    items: tuple[str, ...]  # names for $x
    loops: tuple[Loop, ...]
    each: tuple[str, ...]
    conditions: tuple[c.Condition, ...]
    maps: tuple[c.Map, ...]
    operations: tuple[o.Operation, ...]
    make: Maker
    weight: float
    sequence: str = ""
    recursive: tuple[str, ...] = field(default=())


def numbers(rng: random.Random, k: str, m: str, low: int = -9, high: int = 20, size: int = 0) -> list[int]:
    """A list that often holds the condition's own numbers, where beginners go wrong, and zero."""
    picks = [int(w) + d for w in (k, m) if w.isdigit() for d in (-1, 0, 1)] + [0]
    inside = [p for p in picks if low <= p <= high]
    return [rng.choice(inside) if inside and rng.random() < 0.25 else rng.randint(low, high) for _ in range(size or rng.randint(3, 6))]


def word(rng: random.Random, letter: str) -> str:
    base = "".join(rng.choice("aeioubcdlmnrst") for _ in range(rng.randint(2, 6)))
    if letter.isalpha() and rng.random() < 0.5:
        base = rng.choice([letter + base, base + letter, base[:1] + letter + base[1:]])
    return base


def text(rng: random.Random, letter: str) -> str:
    kinds = [word(rng, letter), word(rng, letter).capitalize(), word(rng, letter), str(rng.randint(0, 9999))]
    return " ".join([word(rng, letter)] + [rng.choice(kinds[:1] + kinds) for _ in range(rng.randint(2, 4))])


def dictionary(rng: random.Random, k: str, m: str) -> dict[str, int]:
    return {word(rng, ""): value for value in numbers(rng, k, m, size=rng.randint(2, 5))}


def lookup(rng: random.Random, k: str, m: str) -> list[object]:
    d = {key: numbers(rng, k, m, size=1)[0] for key in rng.sample("abcdef", rng.randint(2, 4))}
    return [d, rng.sample("abcdef", 4)]


AGGREGATES = (o.SUM, o.COUNT, o.LIST, o.PRODUCT, o.AVERAGE, o.MAX, o.MIN, o.ANY, o.ALL)
UNSIGNED = tuple(x for x in c.NUMBER_CONDITIONS if x.name not in ("positive", "negative"))

LIST = Source(
    "list", "xs", "number", ("in xs", "in the list xs"), ("x", "x", "n", "num"),
    (Loop("for $x in xs:\n    $do"),
     Loop("for i in range(len(xs)):\n    $x = xs[i]\n    $do", ("ordered", "index")),
     Loop("for i, $x in enumerate(xs):\n    $do", ("index",)),
     Loop("i = 0\nwhile i < len(xs):\n    $x = xs[i]\n    $do\n    i += 1", ("ordered", "index"))),
    ("for $x in xs",), c.NUMBER_CONDITIONS, c.NUMBER_MAPS,
    (*AGGREGATES, o.FIRST, o.LAST, o.POSITION, o.POSITIONS, o.WITHOUT, o.REPLACE, o.TALLY),
    lambda rng, k, m: [numbers(rng, k, m)], 5.0, "xs",
)
DIGITS = Source(
    "digits", "n", "digit", ("of n", "of the number n"), ("digit", "d"),
    (Loop("while n > 0:\n    $x = n % 10\n    $do\n    n = n // 10", ()),
     Loop("while n > 0:\n    $x = n % 10\n    $do\n    n //= 10", ()),
     Loop("for c in str(n):\n    $x = int(c)\n    $do")),
    ("for $x in [int(c) for c in str(n)]", "for $x in map(int, str(n))"), UNSIGNED, c.NUMBER_MAPS[:3],
    (*AGGREGATES, o.FIRST, o.LAST, o.TALLY),
    lambda rng, k, m: [int("".join(str(x or 1) for x in numbers(rng, k, m, 0, 9, rng.randint(1, 5))))], 2.0,
)
RANGE = Source(
    "range", "n", "number", ("from 1 to n", "up to n"), ("i", "x"),
    (Loop("for $x in range(1, n + 1):\n    $do"),
     Loop("$x = 1\nwhile $x <= n:\n    $do\n    $x += 1")),
    ("for $x in range(1, n + 1)",), UNSIGNED, c.NUMBER_MAPS[:3],
    (o.SUM, o.COUNT, o.LIST, o.PRODUCT, o.AVERAGE, o.MAX),
    lambda rng, k, m: [rng.randint(0, 12)], 1.6,
)
MATRIX = Source(
    "matrix", "rows", "number", ("in the matrix rows", "in all rows"), ("x", "n"),
    (Loop("for row in rows:\n    for $x in row:\n        $do"),
     Loop("for i in range(len(rows)):\n    for j in range(len(rows[i])):\n        $x = rows[i][j]\n        $do")),
    ("for row in rows for $x in row",), c.NUMBER_CONDITIONS, c.NUMBER_MAPS[:2],
    (o.SUM, o.COUNT, o.LIST, o.MAX, o.MIN, o.ANY, o.ALL, o.AVERAGE, o.TALLY),
    lambda rng, k, m: [[numbers(rng, k, m, size=3) for _ in range(rng.randint(1, 3))]], 1.5,
)
VALUES = Source(
    "values", "d", "value", ("in the dictionary d", "of d"), ("value", "x"),
    (Loop("for key in d:\n    $x = d[key]\n    $do", ("ordered", "key")),
     Loop("for key, $x in d.items():\n    $do", ("ordered", "key")),
     Loop("for $x in d.values():\n    $do")),
    ("for $x in d.values()",), c.NUMBER_CONDITIONS, c.NUMBER_MAPS[:3],
    (o.SUM, o.COUNT, o.LIST, o.AVERAGE, o.MAX, o.MIN, o.ANY, o.ALL, o.KEYS, o.ENTRIES),
    lambda rng, k, m: [dictionary(rng, k, m)], 2.2,
)
LOOKUP = Source(
    "lookup", "d, keys", "value", ("that d has for the keys", "that d holds for keys"), ("value", "x"),
    (Loop("for key in keys:\n    if key in d:\n        $x = d[key]\n        $do"),),
    ("for $x in [d[key] for key in keys if key in d]",), c.NUMBER_CONDITIONS, c.NUMBER_MAPS[:2],
    (o.SUM, o.COUNT, o.LIST, o.AVERAGE, o.MAX),
    lookup, 1.4,
)
NUMERALS = Source(
    "numerals", "s", "number", ("in the text s like 3,14,15", "in the comma-separated text s"), ("x", "n"),
    (Loop('for part in s.split(","):\n    $x = int(part)\n    $do'),),
    ('for $x in map(int, s.split(","))', 'for $x in [int(part) for part in s.split(",")]'), UNSIGNED, c.NUMBER_MAPS[:2],
    AGGREGATES,
    lambda rng, k, m: [",".join(map(str, numbers(rng, k, m, 0, 20)))], 1.5,
)
MIXED = Source(
    "mixed", "text", "number", ("among the words of text", "that occur in the words of text"), ("x", "n"),
    (Loop("for word in text.split():\n    if word.isdigit():\n        $x = int(word)\n        $do"),),
    ("for $x in [int(word) for word in text.split() if word.isdigit()]",), UNSIGNED, c.NUMBER_MAPS[:2],
    (o.SUM, o.COUNT, o.LIST, o.AVERAGE, o.MAX, o.MIN),
    lambda rng, k, m: [" ".join(rng.sample([word(rng, ""), word(rng, ""), *map(str, numbers(rng, k, m, 0, 20))], 5))], 1.4,
)
CHARACTERS = Source(
    "characters", "s", "character", ("in s", "in the string s"), ("c", "c", "ch"),
    (Loop("for $x in s:\n    $do"),
     Loop("for i in range(len(s)):\n    $x = s[i]\n    $do", ("ordered", "index")),
     Loop("for i, $x in enumerate(s):\n    $do", ("index",)),
     Loop("i = 0\nwhile i < len(s):\n    $x = s[i]\n    $do\n    i += 1", ("ordered", "index"))),
    ("for $x in s",), c.CHARACTER_CONDITIONS, c.CHARACTER_MAPS,
    (o.COUNT, o.LIST, o.ANY, o.ALL, o.FIRST, o.LAST, o.POSITION, o.POSITIONS, o.TALLY, o.KEEP, o.REMOVE, o.STAR),
    lambda rng, k, m: [text(rng, k)], 2.8, "s",
)
WORDS = Source(
    "words", "text", "word", ("in text", "of the text"), ("word", "w"),
    (Loop("for $x in text.split():\n    $do"),
     Loop("words = text.split()\nfor $x in words:\n    $do"),
     Loop("words = text.split()\nfor i in range(len(words)):\n    $x = words[i]\n    $do", ("ordered", "index")),
     Loop("for i, $x in enumerate(text.split()):\n    $do", ("index",))),
    ("for $x in text.split()",), c.WORD_CONDITIONS, c.WORD_MAPS,
    (o.SUM, o.COUNT, o.LIST, o.AVERAGE, o.MAX, o.MIN, o.ANY, o.ALL, o.FIRST, o.LAST, o.POSITION, o.WITHOUT, o.TALLY),
    lambda rng, k, m: [text(rng, k)], 2.8, "text.split()",
)
NEIGHBOURS = Source(
    "neighbours", "xs", "pair of neighbours in xs", ("",), ("x",),
    (Loop("for i in range(len(xs) - 1):\n    $x = xs[i]\n    $y = xs[i + 1]\n    $do"),
     Loop("for $x, $y in zip(xs, xs[1:]):\n    $do"),
     Loop("for i in range(1, len(xs)):\n    $x = xs[i - 1]\n    $y = xs[i]\n    $do")),
    ("for $x, $y in zip(xs, xs[1:])",), c.PAIR_CONDITIONS, c.PAIR_MAPS,
    (o.SUM, o.COUNT, o.LIST, o.MAX, o.MIN, o.ANY, o.ALL),
    lambda rng, k, m: [numbers(rng, k, m, 0, 9, rng.randint(2, 6))], 1.4,
)
PAIRS = Source(
    "pairs", "a, b", "pair of a and b", ("",), ("x",),
    (Loop("for $x, $y in zip(a, b):\n    $do"),
     Loop("for i in range(len(a)):\n    $x = a[i]\n    $y = b[i]\n    $do")),
    ("for $x, $y in zip(a, b)",), c.PAIR_CONDITIONS, c.PAIR_MAPS,
    (o.SUM, o.COUNT, o.LIST, o.MAX, o.MIN, o.ANY, o.ALL),
    lambda rng, k, m: [numbers(rng, k, m, 0, 9, 4), numbers(rng, k, m, 0, 9, 4)], 1.3,
)
COUNTDOWN = Source(
    "countdown", "n", "number", ("from 1 to n with recursion", "up to n, recursively"), ("n",), (), (), UNSIGNED, c.NUMBER_MAPS[:3],
    (o.SUM, o.COUNT, o.PRODUCT), lambda rng, k, m: [rng.randint(0, 12)], 1.1,
    recursive=(
        "if n == 0:\n    return $base\nrest = $f(n - 1)\nif $c:\n    return $join\nreturn rest",
        "if n < 1:\n    return $base\nrest = $f(n - 1)\nif $c:\n    return $join\nreturn rest",
        "if n == 0:\n    return $base\nif $c:\n    rest = $f(n - 1)\n    return $join\nreturn $f(n - 1)",
    ),
)
TAIL = Source(
    "tail", "xs", "number", ("in xs with recursion", "in the list xs, recursively"), ("x",), (), (), c.NUMBER_CONDITIONS, c.NUMBER_MAPS[:3],
    (o.SUM, o.COUNT, o.PRODUCT, o.LIST), lambda rng, k, m: [numbers(rng, k, m)], 1.2,
    recursive=(
        "if not xs:\n    return $base\nrest = $f(xs[1:])\n$x = xs[0]\nif $c:\n    return $join\nreturn rest",
        "if len(xs) == 0:\n    return $base\nrest = $f(xs[1:])\n$x = xs[0]\nif $c:\n    return $join\nreturn rest",
        "if xs == []:\n    return $base\n$x = xs[0]\nrest = $f(xs[1:])\nif $c:\n    return $join\nreturn rest",
    ),
)

SOURCES = (LIST, DIGITS, RANGE, MATRIX, VALUES, LOOKUP, NUMERALS, MIXED, CHARACTERS, WORDS, NEIGHBOURS, PAIRS, COUNTDOWN, TAIL)
