"""What a problem asks about each item: conditions ("even", "longer than 3 letters") and maps ("the squares of").

Code fragments are string.Template texts: $x is the item, $y its partner in a pair, $k and $m the numbers or letters
of this problem. Phrases use {noun}, {s} (plural s), {k} and {m}.
"""

import random
from dataclasses import dataclass

LETTERS = "aeiostrlmn"


@dataclass(frozen=True)
class Condition:
    """A yes-or-no question about an item; `name` is its part of the combination that is held out."""

    name: str
    phrases: tuple[str, ...]
    says: str
    test: str
    slug: str = ""
    takes: str = ""  # "", "number", "range" or "letter": what k (and m) are drawn from

    def draw(self, rng: random.Random) -> tuple[str, str]:
        """Draws k and m for one problem."""
        if self.takes == "letter":
            return rng.choice(LETTERS), ""
        low = rng.randint(2, 6 if self.takes == "range" else 9)
        return str(low), str(low + rng.randint(2, 4))


@dataclass(frozen=True)
class Map:
    """What is made of an item before it is used; `phrase` goes before the items ("squares of the")."""

    name: str
    phrase: str
    expression: str
    gives: str  # "number", "text" or "same" (the item itself)


NUMBER_CONDITIONS = (
    Condition("even", ("even {noun}{s}",), "is even", "$x % 2 == 0"),
    Condition("odd", ("odd {noun}{s}",), "is odd", "$x % 2 == 1"),
    Condition("positive", ("positive {noun}{s}", "{noun}{s} greater than zero"), "is positive", "$x > 0"),
    Condition("negative", ("negative {noun}{s}", "{noun}{s} less than zero"), "is negative", "$x < 0"),
    Condition("above", ("{noun}{s} greater than {k}", "{noun}{s} above {k}"), "is greater than {k}", "$x > $k", "above_{k}", "number"),
    Condition("below", ("{noun}{s} less than {k}", "{noun}{s} below {k}"), "is less than {k}", "$x < $k", "below_{k}", "number"),
    Condition("at_least", ("{noun}{s} of at least {k}",), "is at least {k}", "$x >= $k", "at_least_{k}", "number"),
    Condition("at_most", ("{noun}{s} of at most {k}",), "is at most {k}", "$x <= $k", "at_most_{k}", "number"),
    Condition("multiple", ("{noun}{s} divisible by {k}",), "is divisible by {k}", "$x % $k == 0", "by_{k}", "number"),
    Condition("not_multiple", ("{noun}{s} not divisible by {k}",), "is not divisible by {k}", "$x % $k != 0", "not_by_{k}", "number"),
    Condition("other", ("{noun}{s} other than {k}", "{noun}{s} different from {k}"), "is different from {k}", "$x != $k", "not_{k}", "number"),
    Condition("between", ("{noun}{s} from {k} to {m}", "{noun}{s} between {k} and {m}"), "is between {k} and {m}", "$k <= $x <= $m", "from_{k}_to_{m}", "range"),
)

CHARACTER_CONDITIONS = (
    Condition("vowels", ("vowel{s}",), "is a vowel", '$x in "aeiou"'),
    Condition("not_vowels", ("character{s} other than vowels",), "is not a vowel", '$x not in "aeiou"'),
    Condition("digits", ("digit{s}",), "is a digit", "$x.isdigit()"),
    Condition("capitals", ("capital letter{s}", "uppercase letter{s}"), "is a capital letter", "$x.isupper()"),
    Condition("small", ("small letter{s}", "lowercase letter{s}"), "is a small letter", "$x.islower()"),
    Condition("spaces", ("space{s}",), "is a space", '$x == " "'),
    Condition("not_spaces", ("character{s} other than spaces",), "is not a space", '$x != " "'),
    Condition("letters", ("letter{s}",), "is a letter", "$x.isalpha()"),
    Condition("letter", ('letter{s} "{k}"',), 'is the letter "{k}"', '$x == "$k"', "letter_{k}", "letter"),
)

WORD_CONDITIONS = (
    Condition("longer", ("word{s} longer than {k} letters", "word{s} with more than {k} letters"), "is longer than {k} letters", "len($x) > $k", "longer_{k}", "number"),
    Condition("shorter", ("word{s} shorter than {k} letters", "word{s} with fewer than {k} letters"), "is shorter than {k} letters", "len($x) < $k", "shorter_{k}", "number"),
    Condition("length", ("word{s} with {k} letters", "word{s} of {k} letters"), "has {k} letters", "len($x) == $k", "length_{k}", "number"),
    Condition("starting", ('word{s} starting with "{k}"', 'word{s} beginning with "{k}"'), 'starts with "{k}"', '$x.startswith("$k")', "start_{k}", "letter"),
    Condition("ending", ('word{s} ending in "{k}"',), 'ends in "{k}"', '$x.endswith("$k")', "end_{k}", "letter"),
    Condition("containing", ('word{s} containing "{k}"', 'word{s} with an "{k}"'), 'contains "{k}"', '"$k" in $x', "has_{k}", "letter"),
    Condition("without", ('word{s} without "{k}"',), 'does not contain "{k}"', '"$k" not in $x', "without_{k}", "letter"),
    Condition("capitalised", ("capitalised word{s}",), "is capitalised", "$x[0].isupper()"),
    Condition("numeric", ("word{s} of digits",), "is made of digits", "$x.isdigit()"),
)

PAIR_CONDITIONS = (
    Condition("rising", ("{noun} where the second is larger",), "rises", "$x < $y"),
    Condition("falling", ("{noun} where the second is smaller",), "falls", "$x > $y"),
    Condition("equal", ("equal {noun}",), "is equal", "$x == $y"),
    Condition("different", ("different {noun}", "{noun} that differ"), "differs", "$x != $y"),
    Condition("even_sum", ("{noun} with an even sum",), "has an even sum", "($x + $y) % 2 == 0"),
    Condition("sum_above", ("{noun} with a sum above {k}",), "has a sum above {k}", "$x + $y > $k", "sum_above_{k}", "number"),
    Condition("sum_below", ("{noun} with a sum below {k}",), "has a sum below {k}", "$x + $y < $k", "sum_below_{k}", "number"),
    Condition("sum_multiple", ("{noun} with a sum divisible by {k}",), "has a sum divisible by {k}", "($x + $y) % $k == 0", "sum_by_{k}", "number"),
)

PLAIN = Map("", "", "$x", "same")

NUMBER_MAPS = (
    Map("squares", "squares of the ", "$x * $x", "number"),
    Map("doubles", "doubles of the ", "$x * 2", "number"),
    Map("cubes", "cubes of the ", "$x ** 3", "number"),
    Map("halves", "halves of the ", "$x // 2", "number"),
    Map("sizes", "absolute values of the ", "abs($x)", "number"),
)
WORD_MAPS = (
    Map("lengths", "lengths of the ", "len($x)", "number"),
    Map("upper", "uppercase forms of the ", "$x.upper()", "text"),
    Map("reversed", "reversed forms of the ", "$x[::-1]", "text"),
    Map("initials", "first letters of the ", "$x[0]", "text"),
)
CHARACTER_MAPS = (Map("upper", "uppercase forms of the ", "$x.upper()", "text"),)
PAIR_MAPS = (
    Map("sums", "sums of the ", "$x + $y", "number"),
    Map("products", "products of the ", "$x * $y", "number"),
    Map("differences", "differences of the ", "$y - $x", "number"),
)
