"""PyTorch's log-probabilities of preference pairs under a model whose weights are rounded as Errata's int8 and int4 are.

    python tools/real_models/quantised_logps.py --model DIR --adapter DIR --pairs pairs.jsonl --dtype int8 > logps_int8.jsonl

int8: projections, embedding and head; int4: the projections in int4, embedding and head in int8. Groups of 32 neighbours of a row,
scale = largest absolute value / 127 (or / 7), rounded half to even. Arithmetic, adapter, norms and biases stay float32.
"""
import argparse
import json
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

GROUP = 32


def rounded(weight: torch.Tensor, largest: int) -> torch.Tensor:
    groups = weight.reshape(-1, GROUP)
    scale = groups.abs().amax(1, keepdim=True) / largest
    scale[scale == 0] = 1
    return ((groups / scale).round().clamp(-largest, largest) * scale).reshape(weight.shape)


def token_logps(model: torch.nn.Module, prompt: list[int], completion: list[int]) -> list[float]:
    logits = model(torch.tensor([prompt + completion])).logits[0, len(prompt) - 1 : -1]
    return logits.log_softmax(-1).gather(1, torch.tensor(completion)[:, None])[:, 0].tolist()


@torch.no_grad()
def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--model", "--adapter", "--pairs"):
        flags.add_argument(name, required=True)
    flags.add_argument("--dtype", choices=("int8", "int4"), required=True)
    args = flags.parse_args()
    base = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
    for name, weight in base.named_parameters():
        if weight.dim() < 2:
            continue
        is_table = "embed" in name or "lm_head" in name
        weight.copy_(rounded(weight, 127 if is_table or args.dtype == "int8" else 7))
    model = PeftModel.from_pretrained(base, args.adapter).eval()
    with open(args.pairs) as pairs:
        for pair in map(json.loads, pairs):
            line = {}
            for side in ("chosen", "rejected"):
                tokens = token_logps(model, pair["prompt_ids"], pair[f"{side}_ids"])
                with model.disable_adapter():
                    line[f"ref_{side}_logp"] = sum(token_logps(model, pair["prompt_ids"], pair[f"{side}_ids"]))
                line[f"{side}_logp"], line[f"{side}_token_logps"] = sum(tokens), tokens
            print(json.dumps(line))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
