"""Writes the pre-training texts: problems of the combinations that are not held out, answered rightly and mistakenly.

    python corpus.py build/corpus.jsonl --problems 14000 --wrong 0.7
"""

import argparse
import collections
import json
import random
import sys
from pathlib import Path
from typing import Iterator

from held_out import training_combinations
from mistakes import draw_wrong, wrong_answers
from problems import Combination, make_problem
from sources import SOURCES

ANSWERS_PER_PROBLEM = 5
BODIES = 10


def draw_combination(by_source: dict[str, list[Combination]], rng: random.Random) -> Combination:
    source = rng.choices(SOURCES, [s.weight for s in SOURCES])[0]
    return rng.choice(by_source[source.name])


def texts(problems: int, wrong: float, seed: int) -> Iterator[dict[str, str]]:
    """Prompt, answer and error class ("" for right) of every training text."""
    rng = random.Random(seed)
    by_source: dict[str, list[Combination]] = {}
    for combination in training_combinations():
        by_source.setdefault(combination.source.name, []).append(combination)
    for _ in range(problems):
        problem = make_problem(draw_combination(by_source, rng), rng, BODIES)
        mistakes = wrong_answers(problem, rng)
        for _ in range(ANSWERS_PER_PROBLEM):
            if mistakes and rng.random() < wrong:
                answer = draw_wrong(mistakes, rng)
                yield {"prompt": problem.prompt, "answer": answer.body, "error": answer.error}
            else:
                yield {"prompt": problem.prompt, "answer": rng.choice(problem.bodies), "error": ""}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--problems", type=int, default=14000)
    parser.add_argument("--wrong", type=float, default=0.7)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    classes: collections.Counter[str] = collections.Counter()
    with args.out.open("w") as file:
        for text in texts(args.problems, args.wrong, args.seed):
            classes[text["error"]] += 1
            file.write(json.dumps(text) + "\n")
    print(classes.most_common(), file=sys.stderr)


if __name__ == "__main__":
    main()
