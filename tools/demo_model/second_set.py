"""Writes a second problem set, of combinations that pre-training saw (with numbers and letters of its own), to evaluate on.

    python second_set.py ../../docs/results/paper/second_set.jsonl
"""

import argparse
import json
import random
from pathlib import Path

from held_out import SEED, demo_problems, good_problem, row, training_combinations

SIZE = 60


def second_set() -> list[dict[str, object]]:
    rng = random.Random(SEED + 2)
    pool = training_combinations()
    rng.shuffle(pool)
    used = {test for problem in demo_problems() for test in problem["tests"]}
    rows: list[dict[str, object]] = []
    for combination in pool:
        if len(rows) == SIZE:
            break
        problem = good_problem(combination, rng, used)
        if problem:
            used |= set(problem.tests)
            rows.append({**row(problem, len(rows), "evaluation"), "task_id": f"Second/{len(rows)}"})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(json.dumps(r) + "\n" for r in second_set()))


if __name__ == "__main__":
    main()
