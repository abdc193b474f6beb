"""Writes the pre-training problems, with right and wrong answers, and draws the training texts from them.

    python corpus.py build/corpus.jsonl --problems 16000
"""

import argparse
import functools
import json
import random
from pathlib import Path
from typing import Any, Iterator

from held_out import training_combinations
from mistakes import CLASS_WEIGHTS, MISTAKES, wrong_answers
from problems import by_source, draw_combination, make_problem

SEED = 7
BODIES = 10
WEIGHTS = {m.name: m.weight for m in MISTAKES}

Entry = dict[str, Any]  # prompt, topic, right: [body], wrong: {class: [[body, mistake]]}


def entries(problems: int, seed: int = SEED) -> Iterator[Entry]:
    """Problems of the combinations that are not held out."""
    rng = random.Random(seed)
    pool = by_source(training_combinations())
    for _ in range(problems):
        problem = make_problem(draw_combination(pool, rng), rng, BODIES)
        wrong = {error: [[a.body, a.mistake.name] for a in answers] for error, answers in wrong_answers(problem, rng).items()}
        yield {"prompt": problem.prompt, "topic": problem.combination.topic, "right": problem.bodies, "wrong": wrong}


@functools.cache
def habit(topic: str, name: str, spread: float) -> float:
    """How much more often this class or mistake is made in this topic: beginners repeat their own mistakes.

    `spread` is that of the logarithm of the factors: one for the source and one for the operation, so that what is learned about one topic holds in others.
    """
    factors = [random.Random(f"{part} {name}").lognormvariate(0.0, spread) for part in topic.split("/")]
    return factors[0] * factors[1]


def draw_wrong(entry: Entry, spread: float, rng: random.Random) -> str:
    """The class is drawn first, so that no class crowds out the rest."""
    topic, wrong = entry["topic"], entry["wrong"]
    classes = list(wrong)
    error = rng.choices(classes, [CLASS_WEIGHTS.get(c, 5) * habit(topic, c, spread) for c in classes])[0]
    return rng.choices(wrong[error], [WEIGHTS[name] * habit(topic, name, spread) for _, name in wrong[error]])[0][0]


def draw_answer(entry: Entry, wrong_share: float, spread: float, rng: random.Random) -> str:
    if entry["wrong"] and rng.random() < wrong_share:
        return draw_wrong(entry, spread, rng)
    return rng.choice(entry["right"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--problems", type=int, default=16000)
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.open("w") as file:
        for entry in entries(args.problems):
            file.write(json.dumps(entry) + "\n")


if __name__ == "__main__":
    main()
