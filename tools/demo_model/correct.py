"""Checks that the model can be corrected: exam, notebook, windows with replay, DPO on LoRA, quiz, evaluation.

    python correct.py ../../public/models/demo ../../public/problems/demo.jsonl --seed 1 --order l2h

A PyTorch twin of what the app does, to choose settings with; the app's own method is src/ap2o/.
"""

import argparse
import collections
import copy
import json
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer
from transformers import Qwen2ForCausalLM

from exam import Answer, Row, load_problems, sit, summary
from train import END_ID

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
QUIZ_ANSWERS = 4
QUIZ_EVERY = 15
REPORT_EVERY = 15


@dataclass
class Page:
    """One problem of the notebook."""

    problem: Row
    passed: list[Answer]
    failed: list[Answer]  # in the order of correction


@dataclass
class Pair:
    prompt: list[int]
    chosen: list[int]
    rejected: list[int]


@dataclass
class Trial:
    """The model, its notebook and the settings of one run."""

    args: argparse.Namespace
    model: Any
    tokenizer: Tokenizer
    notebook: list[Page]
    rng: random.Random
    quiz: dict[str, int] = field(default_factory=dict)
    queue: list[Page] = field(default_factory=list)


def first_of_each_text(answers: list[Answer]) -> list[Answer]:
    kept: dict[str, Answer] = {}
    for answer in answers:
        kept.setdefault(answer.completion, answer)
    return list(kept.values())


def shuffle_verdicts(answers: list[Answer], rng: random.Random) -> list[Answer]:
    """The control: the same answers, with their verdicts dealt out anew."""
    errors = [a.error for a in answers]
    rng.shuffle(errors)
    return [Answer(a.completion, a.ids, e) for a, e in zip(answers, errors)]


def write_notebook(problems: list[Row], exam: list[list[Answer]], args: argparse.Namespace, rng: random.Random) -> list[Page]:
    pages = []
    for problem, answers in zip(problems, exam):
        frequency = collections.Counter(a.error for a in answers)
        answers = first_of_each_text(answers)
        if args.shuffled:
            answers = shuffle_verdicts(answers, rng)
        passed = [a for a in answers if not a.error and a.ids[-1] == END_ID]
        failed = [a for a in answers if a.error]
        if len(passed) < 2 or len(failed) < 2:
            continue
        failed.sort(key=lambda a: frequency[a.error], reverse=args.order == "h2l")
        pages.append(Page(problem, passed, failed))
    return pages


def window(page: Page, step: int, trial: Trial) -> list[Answer]:
    """The failed answers that are due at this step; all of them for Dyn-DPO."""
    if trial.args.order == "dyn":
        return page.failed
    per_epoch = len(trial.notebook) / trial.args.batch
    epochs = max(1.0, trial.args.steps / per_epoch)
    width = len(page.failed) / epochs
    low = min(int(step / per_epoch * width), len(page.failed) - 1)
    return page.failed[low : max(low + 1, int((step / per_epoch + 1) * width))]


def replay(page: Page, count: int, trial: Trial) -> list[Answer]:
    """As many failed answers again, drawn by the errors of the last quiz."""
    own = collections.Counter(a.error for a in page.failed)
    weights = [trial.quiz.get(a.error, 0) / own[a.error] for a in page.failed]
    if trial.args.order == "dyn" or not any(weights):
        return []
    return trial.rng.choices(page.failed, weights, k=count)


def draw_pair(trial: Trial, step: int) -> Pair:
    if not trial.queue:
        trial.queue = trial.rng.sample(trial.notebook, len(trial.notebook))
    page = trial.queue.pop()
    due = window(page, step, trial)
    rejected = trial.rng.choice(due + replay(page, len(due), trial))
    chosen = trial.rng.choice(page.passed)

    def encode(answer: Answer) -> list[int]:
        return trial.tokenizer.encode(answer.completion).ids + [END_ID]

    return Pair(trial.tokenizer.encode(page.problem["prompt"]).ids, encode(chosen), encode(rejected))


def completion_logps(model: Any, rows: list[tuple[list[int], list[int]]]) -> torch.Tensor:
    """Sum of the log-probabilities of each completion. [B]"""
    width = max(len(p) + len(c) for p, c in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros(len(rows), width)
    for i, (prompt, completion) in enumerate(rows):
        ids[i, : len(prompt) + len(completion)] = torch.tensor(prompt + completion)
        mask[i, len(prompt) : len(prompt) + len(completion)] = 1
    logps = model(input_ids=ids).logits[:, :-1].log_softmax(-1).gather(2, ids[:, 1:, None])[..., 0]
    return (logps * mask[:, 1:]).sum(1)


def dpo_step(trial: Trial, optimizer: torch.optim.Optimizer, pairs: list[Pair]) -> dict[str, float]:
    args, model, n = trial.args, trial.model, len(pairs)
    rows = [(p.prompt, p.chosen) for p in pairs] + [(p.prompt, p.rejected) for p in pairs]
    model.train()
    with torch.no_grad(), model.disable_adapter():
        reference = completion_logps(model, rows)
    policy = completion_logps(model, rows)
    change = policy - reference
    margins = args.beta * (change[:n] - change[n:])
    lengths = torch.tensor([len(p.chosen) for p in pairs])
    loss = -torch.nn.functional.logsigmoid(margins).mean() - args.rpo_alpha * (policy[:n] / lengths).mean()
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
    optimizer.step()
    return {"loss": loss.item(), "chosen": change[:n].mean().item(), "margin": margins.mean().item(), "accuracy": (margins > 0).float().mean().item()}


def correct(trial: Trial, validation: list[Row]) -> dict[str, torch.Tensor]:
    """Trains the adapter; leaves the last one in the model and returns the best one by the quiz."""
    args = trial.args
    trained = [p for p in trial.model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=args.learning_rate, weight_decay=0)
    best, kept = -1.0, {}
    for step in range(args.steps):
        for group in optimizer.param_groups:
            group["lr"] = args.learning_rate * min(1, (step + 1) / max(1, args.steps // 10)) * (1 - step / args.steps)
        metrics = dpo_step(trial, optimizer, [draw_pair(trial, step) for _ in range(args.batch)])
        if (step + 1) % QUIZ_EVERY == 0:
            figures = summary(sit(trial.model, trial.tokenizer, validation, QUIZ_ANSWERS, 1.0))
            trial.quiz = figures["errors"]
            line = " ".join(f"{k} {v:.3f}" for k, v in metrics.items())
            print(f"step {step + 1} {line} quiz {figures['pass@1']}", file=sys.stderr, flush=True)
            if figures["pass@1"] > best:
                best, kept = figures["pass@1"], adapter_weights(trial.model)
    return kept


def adapter_weights(model: Any) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("problems", type=Path)
    parser.add_argument("--order", choices=("l2h", "h2l", "dyn"), default="l2h")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--beta", type=float, default=0.1)
    parser.add_argument("--rpo-alpha", type=float, default=0.0)
    parser.add_argument("--r", type=int, default=8)
    parser.add_argument("--exam-answers", type=int, default=32)
    parser.add_argument("--train-problems", type=int, default=1000)
    parser.add_argument("--shuffled", action="store_true", help="control: deal the verdicts out anew")
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    tokenizer = Tokenizer.from_file(str(args.model / "tokenizer.json"))
    base = Qwen2ForCausalLM.from_pretrained(args.model, dtype=torch.float32)
    model = get_peft_model(base, LoraConfig(r=args.r, lora_alpha=2 * args.r, target_modules=TARGETS))
    splits = {s: load_problems(args.problems, s) for s in ("train", "validation", "evaluation")}
    training = splits["train"][: args.train_problems]
    notebook = write_notebook(training, sit(model, tokenizer, training, args.exam_answers, 1.0), args, rng)
    before = summary(sit(model, tokenizer, splits["evaluation"], 10, 0.6))
    trial = Trial(args, model, tokenizer, notebook, rng)
    kept = copy.deepcopy(correct(trial, splits["validation"]))
    last = summary(sit(model, tokenizer, splits["evaluation"], 10, 0.6))
    model.load_state_dict(kept, strict=False)
    after = summary(sit(model, tokenizer, splits["evaluation"], 10, 0.6))
    settings = {k: v for k, v in vars(args).items() if k not in ("model", "problems")}
    print(json.dumps({"settings": settings, "usable": len(notebook), "before": before, "after": after, "after_last": last}))


if __name__ == "__main__":
    main()
