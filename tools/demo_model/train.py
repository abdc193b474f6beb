"""Trains the tokenizer and the Qwen2-type model on the pre-training texts.

    python train.py build/corpus.jsonl build/model --steps 900
"""

import argparse
import json
import math
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import Qwen2Config, Qwen2ForCausalLM

from corpus import draw_answer

END = "<|endoftext|>"
END_ID = 0
VOCABULARY = 640
TOKENIZER_TEXTS = 12000
# Qwen2.5's own pattern: digits stand alone, a name takes the one character before it
PATTERN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
ANSWERS_PER_PROBLEM = 6
BATCH = 64
BUCKETS = 8  # a batch is one eighth of a sorted pool: rows of like length
MATRIX_RATE = 1e-2  # Muon, for the layers' matrices
OTHER_RATE = 3e-3  # AdamW, for embeddings, norms and biases
WARMUP = 50
LAST_SHARE = 0.02


@dataclass(frozen=True)
class Text:
    prompt: str
    answer: str


def draw_texts(corpus: Path, wrong_share: float, spread: float, rng: random.Random) -> list[Text]:
    entries = [json.loads(line) for line in corpus.read_text().splitlines()]
    return [Text(e["prompt"], draw_answer(e, wrong_share, spread, rng)) for e in entries for _ in range(ANSWERS_PER_PROBLEM)]


def model_config() -> Qwen2Config:
    return Qwen2Config(
        vocab_size=VOCABULARY, hidden_size=128, intermediate_size=384, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=512, rope_theta=10000.0, tie_word_embeddings=True, bos_token_id=END_ID, eos_token_id=END_ID,
    )


def train_tokenizer(texts: list[Text]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(PATTERN), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=[END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator((t.prompt + t.answer for t in texts[:TOKENIZER_TEXTS]), trainer)
    return tokenizer


def encode(tokenizer: Tokenizer, prompt: str, answer: str) -> tuple[list[int], list[int]]:
    """Prompt and completion tokenised apart; a completion is the body, a newline and the end token."""
    return tokenizer.encode(prompt).ids, tokenizer.encode(answer + "\n").ids + [END_ID]


def batch(rows: list[list[int]], rng: random.Random) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and labels [B, T], padded behind."""
    pool = sorted(rng.sample(rows, BATCH * BUCKETS), key=len)
    start = rng.randrange(BUCKETS) * BATCH
    chosen = pool[start : start + BATCH]
    ids = torch.zeros(BATCH, max(map(len, chosen)), dtype=torch.long)
    labels = torch.full_like(ids, -100)
    for i, row in enumerate(chosen):
        ids[i, : len(row)] = labels[i, : len(row)] = torch.tensor(row)
    return ids, labels


def rate_share(step: int, steps: int, peak: float) -> float:
    """Linear warm-up to `peak`, then a cosine down to LAST_SHARE of it."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
    return peak * min(1, (step + 1) / WARMUP) * (LAST_SHARE + (1 - LAST_SHARE) * cosine)


def make_optimizers(model: Qwen2ForCausalLM) -> list[tuple[torch.optim.Optimizer, float]]:
    """Muon needs half the steps of AdamW alone here; each optimizer with its rate."""
    named = list(model.named_parameters())
    matrices = [p for name, p in named if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in named if p.ndim != 2 or "embed" in name]
    return [
        (torch.optim.Muon(matrices, lr=MATRIX_RATE, momentum=0.95, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"), MATRIX_RATE),
        (torch.optim.AdamW(others, lr=OTHER_RATE, betas=(0.9, 0.98), weight_decay=0.01), OTHER_RATE),
    ]


def train(model: Qwen2ForCausalLM, rows: list[list[int]], steps: int, peak: float, seed: int) -> None:
    rng = random.Random(seed)
    optimizers = make_optimizers(model)
    start, seen, smooth = time.time(), 0, 0.0
    for step in range(steps):
        ids, labels = batch(rows, rng)
        logits = model(input_ids=ids).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, VOCABULARY), labels[:, 1:].reshape(-1))
        model.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, rate in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * rate_share(step, steps, peak)
            optimizer.step()
        seen += ids.numel()
        smooth = loss.item() if step == 0 else 0.98 * smooth + 0.02 * loss.item()
        if (step + 1) % 50 == 0:
            seconds = time.time() - start
            print(f"step {step + 1} loss {smooth:.4f} {seen / seconds:.0f} tokens/s {seconds:.0f} s", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--wrong", type=float, default=0.7, help="share of mistaken texts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--habit", type=float, default=1.1, help="how unevenly mistakes are made")
    parser.add_argument("--start", type=Path, help="go on with this model and its tokenizer")
    parser.add_argument("--peak", type=float, default=1.0, help="share of the full learning rates")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    texts = draw_texts(args.corpus, args.wrong, args.habit, random.Random(args.seed))
    tokenizer = Tokenizer.from_file(str(args.start / "tokenizer.json")) if args.start else train_tokenizer(texts)
    rows = [sum(encode(tokenizer, t.prompt, t.answer), []) for t in texts]
    print(f"{len(rows)} texts, {sum(map(len, rows)) / len(rows):.1f} tokens each, at most {max(map(len, rows))}", file=sys.stderr)
    model = Qwen2ForCausalLM.from_pretrained(args.start, dtype=torch.float32) if args.start else Qwen2ForCausalLM(model_config())
    print(f"{sum(p.numel() for p in model.parameters())} parameters", file=sys.stderr)
    train(model, rows, args.steps, args.peak, args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(args.out / "tokenizer.json"))
    model.save_pretrained(args.out)


if __name__ == "__main__":
    main()
