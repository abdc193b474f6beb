"""Mistakes that beginners make: small edits of a right answer, each executed, so that its error class is the true one."""

import random
import re
from dataclasses import dataclass
from typing import Callable

import judge
from problems import Problem

Edit = Callable[[str, random.Random], str | None]


@dataclass(frozen=True)
class Mistake:
    name: str
    weight: float  # how often it is made among the mistakes that raise the same class
    edit: Edit


def swap(pattern: str, replacement: str | Callable[[re.Match[str]], str]) -> Edit:
    """Replaces one random match."""

    def edit(body: str, rng: random.Random) -> str | None:
        matches = list(re.finditer(pattern, body))
        if not matches:
            return None
        m = rng.choice(matches)
        new = replacement(m) if callable(replacement) else m.expand(replacement)
        return body[: m.start()] + new + body[m.end() :]

    return edit


def lines_where(body: str, pattern: str) -> list[int]:
    return [i for i, line in enumerate(body.split("\n")) if re.search(pattern, line)]


def drop_line(pattern: str) -> Edit:
    def edit(body: str, rng: random.Random) -> str | None:
        found = lines_where(body, pattern)
        if not found:
            return None
        lines = body.split("\n")
        lines.pop(rng.choice(found))
        return "\n".join(lines)

    return edit


def unwrap(pattern: str) -> Edit:
    """Drops a line that opens a block and moves its block out by one level."""

    def edit(body: str, rng: random.Random) -> str | None:
        found = lines_where(body, pattern)
        if not found:
            return None
        lines = body.split("\n")
        start = rng.choice(found)
        depth = indent_of(lines[start])
        end = start + 1
        while end < len(lines) and indent_of(lines[end]) > depth:
            lines[end] = lines[end][4:]
            end += 1
        lines.pop(start)
        return "\n".join(lines)

    return edit


def indent_of(line: str) -> int:
    return len(line) - len(line.lstrip())


def drop_guard(body: str, rng: random.Random) -> str | None:
    """Forgets the case of nothing left: empty list, n == 0, no values."""
    m = re.search(r"    if (not \w+|\w+ == 0|len\(\w+\) == 0|n < 1|xs == \[\]):\n        return [^\n]+\n", body)
    if m:
        return body[: m.start()] + body[m.end() :]
    m = re.search(r"    if (values|count > 0):\n        (return [^\n]+)\n    return [^\n]+$", body)
    return body[: m.start()] + "    " + m[2] if m else None


MISSPELT = {
    "total": ("totl", "sum_total"), "count": ("cnt", "coun"), "result": ("res", "results"), "best": ("bst", "max_value"), "largest": ("larges",),
    "smallest": ("smalest",), "values": ("value", "vals"), "counts": ("count",), "product": ("prod",), "found": ("find",), "out": ("output",),
    "new": ("d2",), "keys": ("key_list",), "places": ("place",), "rest": ("rst",), "last": ("lst",), "words": ("wrds",), "word": ("words",), "value": ("val",), "digit": ("digits",),
}


def misspell(body: str, rng: random.Random) -> str | None:
    """Writes a name differently the next time."""
    names = sorted(set(re.findall(r"\b(" + "|".join(MISSPELT) + r")\b", body)))
    names = [n for n in names if len(re.findall(rf"\b{n}\b", body)) > 1]
    if not names:
        return None
    name = rng.choice(names)
    m = list(re.finditer(rf"\b{name}\b", body))[-1]
    return body[: m.start()] + rng.choice(MISSPELT[name]) + body[m.end() :]


def drop_start(body: str, rng: random.Random) -> str | None:
    """Forgets the start value of an accumulator."""
    found = lines_where(body, r"^    \w+ = (0|1|\[\]|\{\}|\"\"|None|False|True)$")
    if not found:
        return None
    lines = body.split("\n")
    lines.pop(rng.choice(found))
    return "\n".join(lines)


def return_in_loop(body: str, rng: random.Random) -> str | None:
    """Puts the last return into the loop."""
    lines = body.split("\n")
    if len(lines) < 3 or not lines[-1].startswith("    return ") or indent_of(lines[-2]) <= 4:
        return None
    lines[-1] = " " * 8 + lines[-1].strip()
    return "\n".join(lines)


def flatten_block(body: str, rng: random.Random) -> str | None:
    """Does not indent the line after a colon."""
    lines = body.split("\n")
    found = [i for i in range(1, len(lines)) if lines[i - 1].endswith(":")]
    if not found:
        return None
    i = rng.choice(found)
    lines[i] = lines[i][4:]
    return "\n".join(lines)


def stray_indent(body: str, rng: random.Random) -> str | None:
    """Indents the last line by one space too many or too few."""
    lines = body.split("\n")
    if len(lines) < 2 or not lines[-1].startswith("    return"):
        return None
    lines[-1] = rng.choice(["   ", "     "]) + lines[-1].strip()
    return "\n".join(lines)


def no_key_check(body: str, rng: random.Random) -> str | None:
    """Counts without asking whether the key is there."""
    changed = re.sub(r"(\w+)\[(\w+)\] = \1\.get\(\2, 0\) \+ 1", r"\1[\2] += 1", body)
    changed = re.sub(r"( +)if (\w+) in (\w+):\n +(\3\[\2\] \+= 1)\n +else:\n[^\n]+\n", r"\1\4\n", changed)
    changed = re.sub(r" +if (\w+) not in (\w+):\n +\2\[\1\] = 0\n", "", changed)
    return changed.replace(" for key in keys if key in d]", " for key in keys]")


WORD_METHODS = {".isupper()": ".isUpper()", ".isdigit()": ".isNumber()", ".isalpha()": ".isLetter()", ".islower()": ".isLower()", ".upper()": ".toUpperCase()", ".startswith(": ".startsWith(", ".endswith(": ".endsWith("}

MISTAKES = (
    # IndexError
    Mistake("one index too many", 4, swap(r"range\(len\((\w+)\)( - 1)?\)", lambda m: f"range(len({m[1]}))" if m[2] else f"range(len({m[1]}) + 1)")),
    Mistake("last is at length", 3, swap(r"values\[-1\]", "values[len(values)]")),
    Mistake("while to length included", 3, swap(r"while i < len", "while i <= len")),
    Mistake("no guard", 6, drop_guard),
    # NameError, UnboundLocalError
    Mistake("misspelt name", 3, misspell),
    Mistake("no start value", 4, drop_start),
    Mistake("JavaScript's true and null", 3, swap(r"\b(True|False|None)\b", lambda m: {"True": "true", "False": "false", "None": "null"}[m[1]])),
    # AttributeError
    Mistake("push", 4, swap(r"\.append\(", ".push(")),
    Mistake("add to a list", 2, swap(r"\.append\(", ".add(")),
    Mistake("length", 3, swap(r"len\((\w+)\)", r"\1.length")),
    Mistake("sum as a method", 2, swap(r"\b(sum|max|min)\((values)\)", r"\2.\1()")),
    Mistake("another language's method", 3, swap("|".join(map(re.escape, WORD_METHODS)), lambda m: WORD_METHODS[m[0]])),
    Mistake("items of a list", 1, swap(r"enumerate\((xs|s)\)", r"\1.items()")),
    Mistake("add to a number", 1, swap(r"\b(total|count) \+= (\w+)", r"\1.add(\2)")),
    # KeyError, ValueError
    Mistake("no check of the key", 6, no_key_check),
    Mistake("no test of the key", 6, unwrap(r"if key in d:")),
    Mistake("no test for a number", 5, unwrap(r"if word\.isdigit\(\):")),
    Mistake("int of every word", 5, swap(r" if word\.isdigit\(\)\]", "]")),
    Mistake("int of the whole text", 4, swap(r"int\(part\)|int\(c\)", lambda m: "int(s)" if "part" in m[0] else m[0])),
    Mistake("split at spaces", 3, swap(r's\.split\(","\)', "s.split()")),
    Mistake("no items", 5, swap(r"\bd\.items\(\)", "d")),
    Mistake("no enumerate", 2, swap(r"enumerate\((xs|s|text\.split\(\))\)", r"\1")),
    Mistake("no zip", 2, swap(r"zip\((\w+), ([^)]+)\)", r"\1")),
    # TypeError
    Mistake("number not converted", 4, swap(r"int\((part|word|c)\)", r"\1")),
    Mistake("range of a list", 3, swap(r"range\(len\((\w+)\)", r"range(\1")),
    Mistake("loop over a length", 3, swap(r"range\((len\(\w+\))\)", r"\1")),
    Mistake("loop over a number", 3, swap(r"range\(1, n \+ 1\)", "n")),
    Mistake("digits of a number", 2, swap(r"str\(n\)", "n")),
    Mistake("start with None", 1.5, swap(r"(total|count|result|product) = [01]\b", r"\1 = None")),
    Mistake("start with text", 1.5, swap(r"(total|result) = 0\b", r'\1 = ""')),
    Mistake("call for index", 2, swap(r"\b(xs|s|a|b|d|words|values)\[(\w+)\]", r"\1(\2)")),
    Mistake("compare with None", 3, swap(r"(?:\w+ is None or |default=None)", "")),
    Mistake("rest is not a list", 3, swap(r"\[([^\[\]\n]+)\] \+ rest", r"\1 + rest")),
    Mistake("function not called", 0.7, swap(r"\b(len|sum)\((\w+)\)", r"\1[\2]")),
    # SyntaxError, IndentationError
    Mistake("no colon", 4, swap(r":\n", "\n")),
    Mistake("open bracket", 2, swap(r"[)\]](?=\n|$)", "")),
    Mistake("assignment for comparison", 3, swap(r"(if [^\n]*?) == ", r"\1 = ")),
    Mistake("increment of C", 2, swap(r"(\w+) \+= 1\b", r"\1++")),
    Mistake("and of C", 2, swap(r" (and|or) ", lambda m: " && " if m[1] == "and" else " || ")),
    Mistake("not of C", 2, swap(r"if not ", "if !")),
    Mistake("block not indented", 3, flatten_block),
    Mistake("stray space", 2, stray_indent),
    # TimeoutError, RecursionError
    Mistake("no step", 5, drop_line(r"^        (n = n // 10|n //= 10|i \+= 1|x \+= 1)$")),
    Mistake("step in the condition", 3, lambda body, rng: re.sub(r"\n        i \+= 1\n", "\n            i += 1\n", body) if "while" in body else None),
    Mistake("while zero included", 3, swap(r"while n > 0", "while n >= 0")),
    Mistake("no smaller problem", 4, swap(r"\((n - 1|xs\[1:\])\)", lambda m: "(n)" if m[1] == "n - 1" else "(xs)")),
    # ZeroDivisionError
    Mistake("operands swapped", 1, swap(r"\b(\w+) % (\d)", r"\2 % \1")),
    # wrong results
    Mistake("wrong direction", 2, swap(r"(?<=\w) (>|<)(=?) (?=\w)", lambda m: f" {'<' if m[1] == '>' else '>'}{m[2]} ")),
    Mistake("limit included or not", 3, swap(r"(?<=\w) (>|<)(=?) (?=\w)", lambda m: f" {m[1]}{'' if m[2] else '='} ")),
    Mistake("equal for unequal", 2, swap(r" (==|!=) ", lambda m: " != " if m[1] == "==" else " == ")),
    Mistake("division for remainder", 1.5, swap(r" % (?=\d)", " // ")),
    Mistake("opposite", 1.5, swap(r"if not ", "if ")),
    Mistake("last number left out", 2, swap(r"n \+ 1\)", "n)")),
    Mistake("from zero", 1, swap(r"range\(1, ", "range(0, ")),
    Mistake("from one", 1, swap(r"range\(len\((\w+)\)", r"range(1, len(\1)")),
    Mistake("product from zero", 3, swap(r"(product|result) = 1\b", r"\1 = 0")),
    Mistake("start with one", 1, swap(r"(total|count|result) = 0\b", r"\1 = 1")),
    Mistake("smallest for largest", 1, swap(r"\b(max|min)\(", lambda m: "min(" if m[1] == "max" else "max(")),
    Mistake("first for last", 1.5, swap(r"values\[(0|-1)\]", lambda m: "values[-1]" if m[1] == "0" else "values[0]")),
    Mistake("whole division", 2, swap(r" / ", " // ")),
    Mistake("overwritten", 2, swap(r" (\+|\*)= ", " = ")),
    Mistake("return in the loop", 2, return_in_loop),
    Mistake("item not mapped", 2, swap(r"(\w+) \*\* 3|abs\((\w+)\)|(\w+) \* 2|(\w+) // 2", lambda m: next(g for g in m.groups() if g))),
    Mistake("double for square", 2, swap(r"(\w+) \* \1\b", r"\1 * 2")),
)

CLASS_WEIGHTS = {
    "AssertionError": 10, "SyntaxError": 3, "IndentationError": 4, "NameError": 7, "UnboundLocalError": 9, "TypeError": 12, "AttributeError": 10,
    "IndexError": 14, "KeyError": 50, "ValueError": 30, "ZeroDivisionError": 45, "RecursionError": 25, "TimeoutError": 14,
}


@dataclass(frozen=True)
class WrongAnswer:
    body: str
    error: str
    mistake: Mistake


def wrong_answers(problem: Problem, rng: random.Random) -> dict[str, list[WrongAnswer]]:
    """Every mistake tried once on a random right answer; what fails, by the class that it raises."""
    head = problem.prompt.split("\n", 1)[1]
    tests = "\n".join(problem.tests)
    by_class: dict[str, list[WrongAnswer]] = {}
    for mistake in MISTAKES:
        body = rng.choice(problem.bodies)
        wrong = mistake.edit(body, rng)
        if not wrong or wrong == body:
            continue
        error = judge.judge(head + wrong, tests)
        if error:
            by_class.setdefault(error, []).append(WrongAnswer(wrong, error, mistake))
    return by_class
