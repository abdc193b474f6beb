"""Problems: every combination of source, operation, map and condition, written out as text, tests and right answers."""

import random
import re
from dataclasses import dataclass
from string import Template

import judge
from conditions import PLAIN, Condition, Map
from operations import LoopForm, Operation
from sources import SOURCES, Loop, Source

TESTS = 5
NEVER_EMPTY = ("digits", "numerals", "mixed")


@dataclass(frozen=True)
class Combination:
    """What is held out: it has no numbers, no letters and no wording in it."""

    source: Source
    operation: Operation
    map: Map
    condition: Condition

    @property
    def key(self) -> str:
        return "/".join((self.source.name, self.operation.name, self.map.name or "plain", self.condition.name))


    @property
    def topic(self) -> str:
        return f"{self.source.name}/{self.operation.name}"


@dataclass(frozen=True)
class Problem:
    combination: Combination
    prompt: str
    entry_point: str
    tests: tuple[str, ...]
    bodies: tuple[str, ...]  # right answers, indented, without a newline at the end


def maps_for(source: Source, operation: Operation) -> tuple[Map, ...]:
    if operation.maps == "none":
        return (PLAIN,)
    if operation.maps == "any":
        return (PLAIN, *source.maps)
    numeric = tuple(m for m in source.maps if m.gives == "number")
    plain_adds = source.name not in ("words", "characters", "neighbours", "pairs")
    return (PLAIN, *numeric) if plain_adds else numeric


def combinations() -> list[Combination]:
    """All combinations, in a fixed order."""
    return [
        Combination(source, operation, mapped, condition)
        for source in SOURCES
        for operation in source.operations
        for mapped in maps_for(source, operation)
        for condition in source.conditions
    ]


def draw_combination(pool: dict[str, list[Combination]], rng: random.Random) -> Combination:
    """A source by its weight, then an operation, then a map and a condition: rare operations are not crowded out."""
    source = rng.choices(SOURCES, [s.weight for s in SOURCES])[0]
    mine = pool[source.name]
    operation = rng.choice(sorted({c.operation.name for c in mine}))
    return rng.choice([c for c in mine if c.operation.name == operation])


def by_source(chosen: list[Combination]) -> dict[str, list[Combination]]:
    return {source.name: [c for c in chosen if c.source is source] for source in SOURCES}


def splice(template: str, mark: str, text: str) -> str:
    """Puts text where the line `mark` is, indented as that line is."""
    lines = []
    for line in template.split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        lines += [indent + part for part in text.split("\n")] if line.strip() == mark else [line]
    return "\n".join(lines)


def loop_body(loop: Loop, form: LoopForm) -> str:
    return form.before + splice(loop.text, "$do", form.inside) + "\n" + form.after


def body_templates(combination: Combination) -> list[str]:
    """Every way to write the answer, before names and numbers are filled in."""
    source, operation = combination.source, combination.operation
    if source.recursive:
        base, join = operation.recursive or ("", "")
        if source.name == "countdown" and operation.name == "list":
            join = "rest + [$e]"
        return [t.replace("$base", base).replace("$join", join) for t in source.recursive]
    loops = [
        loop_body(loop, form)
        for form in operation.loops
        for loop in source.loops
        if (not form.needs or form.needs in loop.offers) and (form.needs == "index" or "enumerate" not in loop.text)
    ]
    short = [s.replace("$each", each) for s in operation.short for each in (source.each if "$each" in s else ("",))]
    return loops + short * max(1, len(loops) // max(1, len(short)))


def fill(template: str, values: dict[str, str]) -> str:
    """Fills templates until nothing is left to fill: $e holds $x, $c holds $x and $k."""
    while "$" in template:
        template = Template(template).substitute(values)
    return template


def names_for(combination: Combination, k: str, m: str, rng: random.Random) -> dict[str, str]:
    source = combination.source
    return {
        "x": rng.choice(source.items), "y": "y", "k": k, "m": m, "t": rng.choice(combination.operation.accumulators),
        "c": combination.condition.test, "e": combination.map.expression, "f": entry_point(combination, k, m),
        "sequence": source.sequence, "c_key": combination.condition.test.replace("$x", "d[key]"),
    }


def entry_point(combination: Combination, k: str, m: str) -> str:
    condition = (combination.condition.slug or combination.condition.name).format(k=k, m=m)
    return "_".join(part for part in (combination.operation.name, combination.map.name, condition) if part)


def wording(combination: Combination, k: str, m: str, rng: random.Random) -> str:
    """The comment line above the function."""
    source, condition = combination.source, combination.condition
    where = rng.choice(source.where)
    tail = f" {where}" if where else ""
    phrase = rng.choice(condition.phrases)

    def items(plural: bool) -> str:
        s = "s" if plural else ""
        noun = source.noun.replace("pair", "pair" + s)
        return phrase.format(noun=noun, s=s, k=k, m=m) + tail

    return rng.choice(combination.operation.phrases).format(
        many=combination.map.phrase + items(True), one=items(False), noun=source.noun + tail, says=condition.says.format(k=k, m=m)
    )


def emptied(args: list[object]) -> list[object]:
    return [type(a)() for a in args]


def draw_arguments(combination: Combination, k: str, m: str, rng: random.Random) -> list[list[object]]:
    source = combination.source
    drawn = [source.make(rng, k, m) for _ in range(TESTS)]
    if source.name not in NEVER_EMPTY:
        drawn[-1] = emptied(drawn[-1])
    return drawn


def make_problem(combination: Combination, rng: random.Random, bodies: int = 6) -> Problem:
    """One problem of this combination, with up to `bodies` different right answers, all of them executed."""
    k, m = combination.condition.draw(rng)
    head = f"def {entry_point(combination, k, m)}({combination.source.args}):\n"
    templates = body_templates(combination)
    written: dict[str, None] = {}
    for _ in range(bodies):
        filled = fill(rng.choice(templates), names_for(combination, k, m, rng))
        written[re.sub(r"(?m)^", "    ", filled)] = None
    right = tuple(written)
    arguments = draw_arguments(combination, k, m, rng)
    tests = judge.write_tests(head + right[0], entry_point(combination, k, m), arguments)
    for body in right:
        error = judge.judge(head + body, "\n".join(tests))
        if error:
            raise AssertionError(f"a right answer fails with {error}:\n{head}{body}\n" + "\n".join(tests))
    prompt = f"# {wording(combination, k, m, rng)}\n{head}"
    return Problem(combination, prompt, entry_point(combination, k, m), tests, right)


def masked(prompt: str) -> str:
    """The prompt with numbers and letters masked: what two problems of one combination and wording share."""
    prompt = re.sub(r"\d+", "#", prompt)
    prompt = re.sub(r'"[a-z]"', '"?"', prompt)
    return re.sub(r"_[a-z](?=\()", "_?", prompt)
