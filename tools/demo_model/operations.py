"""What is done with the items that meet the condition: sum, count, list, first ... and how it is written in Python.

An operation has loop forms (before, inside, after the loop) and short forms (comprehensions). In both $c is the
condition, $e the mapped item, $x the item, $t the accumulator's name, $each a comprehension clause.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class LoopForm:
    """Code around and inside a loop; `needs` is what the loop must offer ("ordered", "index", "key" or nothing)."""

    before: str
    inside: str
    after: str
    needs: str = ""


@dataclass(frozen=True)
class Operation:
    name: str
    phrases: tuple[str, ...]
    accumulators: tuple[str, ...]
    loops: tuple[LoopForm, ...]
    short: tuple[str, ...]
    maps: str  # "numbers": items are added or compared; "any": every map; "none": the bare item
    recursive: tuple[str, str] | None = None  # value for nothing left; how `rest` and $e join


def same_frame(before: str, after: str, *insides: str, needs: str = "") -> tuple[LoopForm, ...]:
    return tuple(LoopForm(before, inside, after, needs) for inside in insides)


def guarded(nothing: str, value: str) -> tuple[str, ...]:
    """Short forms that collect values first and answer `nothing` when there are none."""
    collect = "values = [$e $each if $c]\n"
    return (
        f"{collect}if not values:\n    return {nothing}\nreturn {value}",
        f"{collect}if len(values) == 0:\n    return {nothing}\nreturn {value}",
        f"{collect}if values:\n    return {value}\nreturn {nothing}",
    )


def extreme(name: str, word: str, sign: str) -> Operation:
    """The largest or the smallest item."""
    return Operation(
        name,
        (f"Return the {word} of the {{many}}, or None if there are none.", f"Find the {word} of the {{many}}, or None."),
        ("best", word),
        same_frame(
            "$t = None\n", "return $t",
            f"if $c:\n    if $t is None or $e {sign} $t:\n        $t = $e",
            f"if $c and ($t is None or $e {sign} $t):\n    $t = $e",
        ),
        (*guarded("None", f"{name}(values)"), f"return {name}([$e $each if $c], default=None)"),
        "numbers",
    )


SUM = Operation(
    "sum",
    ("Return the sum of the {many}.", "Add up the {many}.", "Compute the total of the {many}."),
    ("total", "result"),
    same_frame("$t = 0\n", "return $t", "if $c:\n    $t += $e", "if $c:\n    $t = $t + $e"),
    ("return sum($e $each if $c)", "return sum([$e $each if $c])", "values = [$e $each if $c]\nreturn sum(values)"),
    "numbers", ("0", "rest + $e"),
)
COUNT = Operation(
    "count",
    ("Count the {many}.", "Return how many {many} there are.", "Return the number of {many}."),
    ("count", "total"),
    same_frame("$t = 0\n", "return $t", "if $c:\n    $t += 1", "if $c:\n    $t = $t + 1"),
    ("return len([$x $each if $c])", "return sum(1 $each if $c)", "values = [$x $each if $c]\nreturn len(values)"),
    "none", ("0", "rest + 1"),
)
LIST = Operation(
    "list",
    ("Return a list of the {many}.", "Collect the {many} in a list.", "Make a list of the {many}."),
    ("result", "values"),
    same_frame("$t = []\n", "return $t", "if $c:\n    $t.append($e)", needs="ordered"),
    ("return [$e $each if $c]", "$t = [$e $each if $c]\nreturn $t"),
    "any", ("[]", "[$e] + rest"),
)
PRODUCT = Operation(
    "product",
    ("Return the product of the {many}.", "Multiply the {many}."),
    ("result", "product"),
    same_frame("$t = 1\n", "return $t", "if $c:\n    $t *= $e"),
    ("values = [$e $each if $c]\n$t = 1\nfor value in values:\n    $t *= value\nreturn $t",),
    "numbers", ("1", "$e * rest"),
)
AVERAGE = Operation(
    "average",
    ("Return the average of the {many}, or 0 if there are none.", "Compute the mean of the {many}, or 0."),
    ("total", "result"),
    same_frame("$t = 0\ncount = 0\n", "if count == 0:\n    return 0\nreturn $t / count", "if $c:\n    $t += $e\n    count += 1")
    + same_frame("$t = 0\ncount = 0\n", "if count > 0:\n    return $t / count\nreturn 0", "if $c:\n    count += 1\n    $t += $e"),
    guarded("0", "sum(values) / len(values)"),
    "numbers",
)
MAX = extreme("max", "largest", ">")
MIN = extreme("min", "smallest", "<")
ANY = Operation(
    "any",
    ("Check whether there is any {one}.", "Return True if there is at least one {one}."),
    ("found",),
    same_frame("", "return False", "if $c:\n    return True") + same_frame("$t = False\n", "return $t", "if $c:\n    $t = True"),
    ("return any($c $each)", "return len([$x $each if $c]) > 0"),
    "none",
)
ALL = Operation(
    "all",
    ("Check whether every {noun} {says}.", "Return True if each {noun} {says}."),
    ("ok",),
    same_frame("", "return True", "if not $c:\n    return False") + same_frame("$t = True\n", "return $t", "if not $c:\n    $t = False"),
    ("return all($c $each)", "return not any(not $c $each)"),
    "none",
)
FIRST = Operation(
    "first",
    ("Return the first {one}, or None.", "Find the first {one}, or None if there is none."),
    ("result",),
    same_frame("", "return None", "if $c:\n    return $x", needs="ordered"),
    ("values = [$x $each if $c]\nif values:\n    return values[0]\nreturn None",
     "values = [$x $each if $c]\nif not values:\n    return None\nreturn values[0]", "return next(($x $each if $c), None)"),
    "none",
)
LAST = Operation(
    "last",
    ("Return the last {one}, or None.", "Find the last {one}, or None if there is none."),
    ("result", "last"),
    same_frame("$t = None\n", "return $t", "if $c:\n    $t = $x", needs="ordered"),
    ("values = [$x $each if $c]\nif values:\n    return values[-1]\nreturn None", "values = [$x $each if $c]\nif len(values) == 0:\n    return None\nreturn values[-1]"),
    "none",
)
POSITION = Operation(
    "find",
    ("Return the position of the first {one}, or -1.", "Find the index of the first {one}, or -1 if there is none."),
    ("result",),
    same_frame("", "return -1", "if $c:\n    return i", needs="index"),
    ("values = [i for i, $x in enumerate($sequence) if $c]\nif values:\n    return values[0]\nreturn -1",),
    "none",
)
POSITIONS = Operation(
    "positions",
    ("Return the positions of the {many}.", "Return a list of the indexes of the {many}."),
    ("result", "places"),
    same_frame("$t = []\n", "return $t", "if $c:\n    $t.append(i)", needs="index"),
    ("return [i for i, $x in enumerate($sequence) if $c]",),
    "none",
)
WITHOUT = Operation(
    "drop",
    ("Leave out the {many} and return the rest as a list.", "Return a list without the {many}."),
    ("result", "rest"),
    same_frame("$t = []\n", "return $t", "if not $c:\n    $t.append($x)", needs="ordered"),
    ("return [$x $each if not $c]", "$t = [$x $each if not $c]\nreturn $t"),
    "none",
)
REPLACE = Operation(
    "zero",
    ("Return a list with 0 in place of the {many}.", "Replace the {many} by 0 in a new list."),
    ("result", "values"),
    same_frame("$t = []\n", "return $t", "if $c:\n    $t.append(0)\nelse:\n    $t.append($x)", needs="ordered"),
    ("return [0 if $c else $x $each]", "$t = [0 if $c else $x $each]\nreturn $t"),
    "none",
)
TALLY = Operation(
    "tally",
    ("Count how often each of the {many} occurs.", "Return a dictionary with the counts of the {many}."),
    ("counts", "result"),
    same_frame(
        "$t = {}\n", "return $t",
        "if $c:\n    $t[$x] = $t.get($x, 0) + 1",
        "if $c:\n    if $x not in $t:\n        $t[$x] = 0\n    $t[$x] += 1",
        "if $c:\n    if $x in $t:\n        $t[$x] += 1\n    else:\n        $t[$x] = 1",
    ),
    (),
    "none",
)
KEEP = Operation(
    "keep",
    ("Keep only the {many}.", "Return a string of the {many} only."),
    ("result", "out"),
    same_frame('$t = ""\n', "return $t", "if $c:\n    $t += $x", "if $c:\n    $t = $t + $x"),
    ('return "".join($x $each if $c)', 'return "".join([$x $each if $c])'),
    "none",
)
REMOVE = Operation(
    "remove",
    ("Remove the {many}.", "Return the string without the {many}."),
    ("result", "out"),
    same_frame('$t = ""\n', "return $t", "if not $c:\n    $t += $x", "if not $c:\n    $t = $t + $x"),
    ('return "".join($x $each if not $c)', 'return "".join([$x $each if not $c])'),
    "none",
)
STAR = Operation(
    "star",
    ("Replace the {many} by stars.", "Put a star in place of the {many}."),
    ("result", "out"),
    same_frame('$t = ""\n', "return $t", 'if $c:\n    $t += "*"\nelse:\n    $t += $x'),
    ('return "".join("*" if $c else $x $each)',),
    "none",
)
KEYS = Operation(
    "keys",
    ("Return a list of the keys of the {many}.", "List the keys that belong to the {many}."),
    ("result", "keys"),
    same_frame("$t = []\n", "return $t", "if $c:\n    $t.append(key)", needs="key"),
    ("return [key for key, $x in d.items() if $c]", "return [key for key in d if $c_key]"),
    "none",
)
ENTRIES = Operation(
    "entries",
    ("Return a dictionary of the {many} with their keys.", "Make a new dictionary that maps the keys to the {many}."),
    ("result", "new"),
    same_frame("$t = {}\n", "return $t", "if $c:\n    $t[key] = $e", needs="key"),
    ("return {key: $e for key, $x in d.items() if $c}",),
    "any",
)
