"""Writes the trained model as the app ships it: weights in float16, plain configs, probes; nothing else.

    python export.py build/model ../../public/models/demo ../../public/problems/demo.jsonl
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import Qwen2ForCausalLM

from exam import load_problems
from train import END, END_ID, encode, model_config

PROBES = 6
CONFIG_KEYS = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "hidden_act",
    "max_position_embeddings", "rms_norm_eps", "tie_word_embeddings", "initializer_range", "attention_dropout", "use_sliding_window",
    "bos_token_id", "eos_token_id",
)


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")


def plain_config() -> dict[str, Any]:
    """The keys that every reader of Qwen2 configs knows, none of this library's bookkeeping."""
    config = model_config().to_dict()
    kept = {key: config[key] for key in CONFIG_KEYS}
    return {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2"} | kept | {"rope_theta": 10000.0, "torch_dtype": "float16"}


def write_weights(source: Path, out: Path) -> None:
    weights = {name: t.to(torch.float16).contiguous() for name, t in load_file(source / "model.safetensors").items() if name != "lm_head.weight"}
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    (out / "model.safetensors").chmod(0o644)


@torch.no_grad()
def probes(folder: Path, problems: Path) -> dict[str, Any]:
    """Per-token log-probabilities that a reader of this folder must reproduce, in float32 from the rounded weights."""
    model = Qwen2ForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    made = []
    for row in load_problems(problems, "validation")[:PROBES]:
        prompt, answer = encode(tokenizer, row["prompt"], row["solution"][len(row["prompt"]) :].rstrip("\n"))
        ids = torch.tensor([prompt + answer])
        logps = model(input_ids=ids).logits[0, :-1].double().log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
        made.append({"text": row["solution"], "prompt_tokens": len(prompt), "ids": ids[0].tolist(), "label_logps": [round(v, 6) for v in logps.tolist()]})
    about = "label_logps[t] is the log-probability of ids[t + 1] after ids[0..t]; float32, transformers, weights rounded to float16"
    return {"about": about, "probes": made}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("problems", type=Path)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    write_json(args.out / "config.json", plain_config())
    write_weights(args.source, args.out)
    shutil.copyfile(args.source / "tokenizer.json", args.out / "tokenizer.json")
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": False, "add_prefix_space": False, "clean_up_tokenization_spaces": False,
        "bos_token": None, "eos_token": END, "pad_token": END, "unk_token": None, "model_max_length": 512, "split_special_tokens": False,
        "added_tokens_decoder": {str(END_ID): {"content": END, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}},
    }
    write_json(args.out / "tokenizer_config.json", tokenizer_config)
    sampling = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "max_new_tokens": 120}
    write_json(args.out / "generation_config.json", {"bos_token_id": END_ID, "eos_token_id": END_ID, "pad_token_id": END_ID} | sampling)
    write_json(args.out / "probes.json", probes(args.out, args.problems))


if __name__ == "__main__":
    main()
