"""Lets a model sit the exam and measures the bar that the embedded model has to meet.

    python exam.py ../../public/models/demo ../../public/problems/demo.jsonl
"""

import argparse
import collections
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Sequence

import torch
from tokenizers import Tokenizer
from transformers import Qwen2ForCausalLM

import judge
from train import END_ID

Row = dict[str, Any]  # one line of demo.jsonl
ROWS_AT_ONCE = 512
MAX_NEW_TOKENS = 120
EXAM_ANSWERS = 32
EVALUATION_ANSWERS = 10


@dataclass(frozen=True)
class Answer:
    completion: str
    ids: tuple[int, ...]  # with the end token, unless the answer ran into the length limit
    error: str  # "" when passed


def load_problems(path: Path, split: str) -> list[Row]:
    return [row for row in map(json.loads, path.read_text().splitlines()) if row["split"] == split]


@torch.no_grad()
def complete(model: Qwen2ForCausalLM, prompts: list[list[int]], temperature: float) -> list[list[int]]:
    """One completion per prompt, sampled from the whole distribution; prompts are padded in front."""
    width = max(map(len, prompts))
    ids = torch.tensor([[END_ID] * (width - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    out = model.generate(
        input_ids=ids, attention_mask=mask, do_sample=True, temperature=temperature, top_k=0, top_p=1.0,
        max_new_tokens=MAX_NEW_TOKENS, pad_token_id=END_ID, eos_token_id=END_ID,
    )
    rows = out[:, width:].tolist()
    return [row[: row.index(END_ID) + 1] if END_ID in row else row for row in rows]


def sit(model: Any, tokenizer: Tokenizer, problems: Sequence[Row], n: int, temperature: float) -> list[list[Answer]]:
    """n judged answers per problem."""
    model.eval()
    jobs = sorted((p for p in problems for _ in range(n)), key=lambda p: len(p["prompt"]))
    encoded = {p["task_id"]: tokenizer.encode(p["prompt"]).ids for p in problems}
    ids: list[list[int]] = []
    for start in range(0, len(jobs), ROWS_AT_ONCE):
        ids += complete(model, [encoded[p["task_id"]] for p in jobs[start : start + ROWS_AT_ONCE]], temperature)
    completions = [tokenizer.decode(row) for row in ids]
    errors = judge.judge_many([(p["prompt"] + text, "\n".join(p["tests"])) for p, text in zip(jobs, completions)])
    answers: dict[str, list[Answer]] = {p["task_id"]: [] for p in problems}
    for problem, row, text, error in zip(jobs, ids, completions, errors):
        answers[problem["task_id"]].append(Answer(text, tuple(row), error))
    return [answers[p["task_id"]] for p in problems]


def pass_at(k: int, answers: list[Answer]) -> float:
    n, passed = len(answers), sum(a.error == "" for a in answers)
    return 1 - math.prod((n - passed - i) / (n - i) for i in range(k))


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def summary(results: list[list[Answer]]) -> dict[str, Any]:
    """pass@k and the failures by class, the most frequent first."""
    errors = collections.Counter(a.error for answers in results for a in answers if a.error)
    figures: dict[str, Any] = {f"pass@{k}": round(mean([pass_at(k, a) for a in results]), 3) for k in (1, 5, 10) if k <= len(results[0])}
    figures["failed"] = errors.total()
    figures["errors"] = dict(errors.most_common())
    figures["largest_share"] = round(max(errors.values(), default=0) / max(1, errors.total()), 3)
    return figures


def distinct(answers: list[Answer]) -> tuple[int, int]:
    """How many different passed and failed texts."""
    return len({a.completion for a in answers if not a.error}), len({a.completion for a in answers if a.error})


def usable(results: list[list[Answer]]) -> dict[str, float]:
    counts = [distinct(answers) for answers in results]
    kept = [c for c in counts if c[0] >= 2 and c[1] >= 2]
    return {
        "share": round(len(kept) / len(counts), 3), "problems": len(kept),
        "distinct_passed": round(mean([c[0] for c in kept]), 1), "distinct_failed": round(mean([c[1] for c in kept]), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("problems", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    model = Qwen2ForCausalLM.from_pretrained(args.model, dtype=torch.float32)
    tokenizer = Tokenizer.from_file(str(args.model / "tokenizer.json"))
    exam = sit(model, tokenizer, load_problems(args.problems, "train"), EXAM_ANSWERS, 1.0)
    figures = {"exam": summary(exam) | {"usable": usable(exam)}}
    for split in ("validation", "evaluation"):
        figures[split] = summary(sit(model, tokenizer, load_problems(args.problems, split), EVALUATION_ANSWERS, 0.6))
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
