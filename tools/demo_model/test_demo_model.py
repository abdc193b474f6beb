"""Tests of the generator, the held-out problems and the shipped model: `python -m pytest` or `python test_demo_model.py`."""

import collections
import json
import random
import re
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import Qwen2ForCausalLM

import judge
from corpus import SEED, draw_answer, entries
from held_out import SPLITS, demo_problems, training_combinations
from mistakes import CLASS_WEIGHTS, MISTAKES, wrong_answers
from problems import combinations, make_problem, masked
from train import END_ID

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "public/models/demo"
ROWS = [json.loads(line) for line in (ROOT / "public/problems/demo.jsonl").read_text().splitlines()]


def key(row: dict[str, str]) -> str:
    return "/".join((row["family"], row["operation"], row["map"], row["condition"]))


def training_prompts() -> set[str]:
    """Masked prompts of the very training texts where a corpus is at hand, else of as many wordings of every combination."""
    corpus = Path(__file__).parent / "build/corpus.jsonl"
    if corpus.exists():
        return {masked(json.loads(line)["prompt"]) for line in corpus.read_text().splitlines()}
    rng = random.Random(SEED)
    return {masked(make_problem(c, rng, 1).prompt) for c in training_combinations() for _ in range(4)}


def test_held_out_problems_do_not_occur_in_training_in_any_numbers_disguise() -> None:
    prompts = training_prompts()
    comments = {p.split("\n")[0] for p in prompts}
    assert len(prompts) > 2000
    for row in ROWS:
        assert masked(row["prompt"]) not in prompts, row["prompt"]
        assert masked(row["prompt"]).split("\n")[0] not in comments, row["prompt"]


def test_held_out_combinations_are_never_drawn_for_training() -> None:
    drawn = {c.key for c in training_combinations()}
    assert not drawn & {key(row) for row in ROWS}
    assert drawn | {key(row) for row in ROWS} <= {c.key for c in combinations()}


def test_masking_hides_numbers_and_letters() -> None:
    a = '# Count the words with more than 3 letters in text.\ndef count_longer_3(text):\n'
    assert masked(a) == masked(a.replace("3", "15"))
    b = '# Keep only the letters "a" in s.\ndef keep_letter_a(s):\n'
    assert masked(b) == masked(b.replace('"a"', '"t"').replace("_a(", "_t("))


def test_no_text_test_or_combination_is_in_two_splits() -> None:
    assert collections.Counter(row["split"] for row in ROWS) == SPLITS
    assert len({row["prompt"] for row in ROWS}) == len(ROWS)
    assert len({masked(row["prompt"]) for row in ROWS}) == len(ROWS)
    assert len({key(row) for row in ROWS}) == len(ROWS)
    tests = [test for row in ROWS for test in row["tests"]]
    assert len(set(tests)) == len(tests)


def test_the_shipped_problems_are_those_the_generator_makes() -> None:
    assert demo_problems() == ROWS


def test_every_solution_passes_and_starts_with_its_prompt() -> None:
    for row in ROWS:
        assert row["solution"].startswith(row["prompt"])
        assert judge.judge(row["solution"], "\n".join(row["tests"])) == "", row["task_id"]
        assert all(t.startswith(f"assert {row['entry_point']}(") for t in row["tests"])


def test_every_way_to_write_an_answer_passes() -> None:
    rng = random.Random(5)
    for combination in combinations():
        make_problem(combination, rng, 12)  # raises where a right answer fails


def test_every_mistake_and_every_class_occurs() -> None:
    rng = random.Random(6)
    classes: collections.Counter[str] = collections.Counter()
    made: set[str] = set()
    for combination in combinations():
        for answers in wrong_answers(make_problem(combination, rng, 10), rng).values():
            classes.update(a.error for a in answers)
            made.update(a.mistake.name for a in answers)
    assert set(classes) >= set(CLASS_WEIGHTS)
    assert made == {m.name for m in MISTAKES}


def test_the_corpus_repeats_with_its_seed() -> None:
    first, again = list(entries(20)), list(entries(20))
    assert first == again
    assert [draw_answer(e, 0.7, 1.0, random.Random(1)) for e in first] == [draw_answer(e, 0.7, 1.0, random.Random(1)) for e in again]


def test_the_judge_names_classes_and_survives() -> None:
    programs = {
        "": "def f(x):\n    return x\n", "TimeoutError": "def f(x):\n    while True:\n        pass\n", "RecursionError": "def f(x):\n    return f(x)\n",
        "NameError": "def f(x):\n    return open('a')\n", "SyntaxError": "def f(x)\n", "MemoryError": "def f(x):\n    return [0] * 10 ** 12\n",
    }
    assert judge.judge_many([(p, "assert f(1) == 1") for p in programs.values()]) == list(programs)


def test_the_shipped_weights_are_small_and_half_precision() -> None:
    weights = load_file(MODEL / "model.safetensors")
    assert {t.dtype for t in weights.values()} == {torch.float16}
    assert all(torch.isfinite(t.float()).all() for t in weights.values())
    assert sum(f.stat().st_size for f in MODEL.iterdir()) <= 4_000_000


def test_probes_hold() -> None:
    model = Qwen2ForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    for probe in json.loads((MODEL / "probes.json").read_text())["probes"]:
        ids, n = probe["ids"], probe["prompt_tokens"]
        assert tokenizer.decode(ids) == probe["text"] and ids[-1] == END_ID
        assert tokenizer.encode(probe["text"][: len(tokenizer.decode(ids[:n]))]).ids == ids[:n]
        with torch.no_grad():
            logps = model(input_ids=torch.tensor([ids])).logits[0, :-1].log_softmax(-1)
        got = logps.gather(1, torch.tensor(ids[1:])[:, None])[:, 0]
        assert torch.allclose(got, torch.tensor(probe["label_logps"]), atol=1e-4)


def test_the_tokenizer_keeps_digits_single_and_every_text() -> None:
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    assert tokenizer.get_vocab_size() <= 640
    assert not [t for t in tokenizer.get_vocab() if re.search(r"\d\d", t)]
    for row in ROWS:
        assert tokenizer.decode(tokenizer.encode(row["solution"]).ids) == row["solution"]


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print("passed", name)
