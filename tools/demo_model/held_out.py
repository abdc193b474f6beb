"""Chooses the combinations that training never sees and writes their problems to public/problems/demo.jsonl.

    python held_out.py ../../public/problems/demo.jsonl
"""

import argparse
import json
import random
from pathlib import Path

from problems import Combination, Problem, combinations, make_problem
from sources import SOURCES

SEED = 20
SPLITS = {"train": 112, "validation": 40, "evaluation": 60}
MIN_RESULTS = 2  # different expected values among a problem's tests


def held_out() -> list[Combination]:
    """Held-out combinations in the order in which they are tried: every family by its weight, more than are used."""
    rng = random.Random(SEED)
    total = sum(s.weight for s in SOURCES)
    wanted = sum(SPLITS.values()) * 1.15
    chosen = []
    for source in SOURCES:
        mine = [c for c in combinations() if c.source is source]
        chosen += rng.sample(mine, round(wanted * source.weight / total))
    rng.shuffle(chosen)
    return chosen


def training_combinations() -> list[Combination]:
    held = {c.key for c in held_out()}
    return [c for c in combinations() if c.key not in held]


def expected(test: str) -> str:
    return test.rsplit(" == ", 1)[-1].rsplit(" is ", 1)[-1]


def good_problem(combination: Combination, rng: random.Random, used: set[str]) -> Problem | None:
    """A problem whose tests tell answers apart and occur nowhere else; None if ten draws give none."""
    for _ in range(10):
        problem = make_problem(combination, rng)
        varied = len({expected(t) for t in problem.tests}) >= MIN_RESULTS
        if varied and len(set(problem.tests)) == len(problem.tests) and not used & set(problem.tests):
            return problem
    return None


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
