"""Chooses the combinations that training never sees and writes their problems to public/problems/demo.jsonl.

    python held_out.py ../../public/problems/demo.jsonl
"""

import argparse
import collections
import json
import random
from pathlib import Path

from mistakes import wrong_answers
from problems import Combination, Problem, by_source, combinations, draw_combination, make_problem

SEED = 20
SPLITS = {"train": 112, "validation": 40, "evaluation": 60}
HELD_OUT = 250
DRAWS = 6  # draws per combination, of which the one whose tests catch most mistakes is kept
MIN_RESULTS = 2  # different expected values among a problem's tests


def held_out() -> list[Combination]:
    """Held-out combinations in the order in which they are tried; a few more than are used.

    Of every source and operation at least two thirds stay in training.
    """
    rng = random.Random(SEED)
    everything = combinations()
    pool = by_source(everything)
    sizes = collections.Counter(c.topic for c in everything)
    taken: collections.Counter[str] = collections.Counter()
    chosen: dict[str, Combination] = {}
    while len(chosen) < HELD_OUT:
        combination = draw_combination(pool, rng)
        if combination.key not in chosen and taken[combination.topic] < sizes[combination.topic] // 3:
            taken[combination.topic] += 1
            chosen[combination.key] = combination
    return list(chosen.values())


def training_combinations() -> list[Combination]:
    held = {c.key for c in held_out()}
    return [c for c in combinations() if c.key not in held]


def expected(test: str) -> str:
    return test.rsplit(" == ", 1)[-1].rsplit(" is ", 1)[-1]


def results(problem: Problem) -> int:
    return len({expected(test) for test in problem.tests})


def caught(problem: Problem) -> tuple[int, int]:
    """How many mistakes the tests catch; then how many different results they ask for."""
    wrong = wrong_answers(problem, random.Random(SEED))
    return sum(map(len, wrong.values())), results(problem)


def good_problem(combination: Combination, rng: random.Random, used: set[str]) -> Problem | None:
    """The draw with the best tests among those that occur nowhere else; None where no draw tells answers apart."""
    drawn = [make_problem(combination, rng) for _ in range(DRAWS)]
    fresh = [p for p in drawn if len(set(p.tests)) == len(p.tests) and not used & set(p.tests) and results(p) >= MIN_RESULTS]
    return max(fresh, key=caught, default=None)


def row(problem: Problem, index: int, split: str) -> dict[str, object]:
    combination = problem.combination
    return {
        "task_id": f"Demo/{index}", "prompt": problem.prompt, "entry_point": problem.entry_point, "tests": list(problem.tests),
        "solution": problem.prompt + problem.bodies[0] + "\n", "split": split, "family": combination.source.name,
        "operation": combination.operation.name, "map": combination.map.name or "plain", "condition": combination.condition.name,
    }


def demo_problems() -> list[dict[str, object]]:
    rng = random.Random(SEED + 1)
    splits = [name for name, count in SPLITS.items() for _ in range(count)]
    rows: list[dict[str, object]] = []
    used: set[str] = set()
    for combination in held_out():
        if len(rows) == len(splits):
            break
        problem = good_problem(combination, rng, used)
        if problem:
            used |= set(problem.tests)
            rows.append(row(problem, len(rows), splits[len(rows)]))
    if len(rows) < len(splits):
        raise SystemExit(f"only {len(rows)} of {len(splits)} problems: hold out more combinations")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    out.write_text("".join(json.dumps(r) + "\n" for r in demo_problems()))


if __name__ == "__main__":
    main()
