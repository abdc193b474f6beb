"""PyTorch's log-probabilities of preference pairs under a real model, in float64 or with weights rounded as Errata's int8 and int4 are.

    python tools/real_models/logps.py --model DIR --adapter DIR --pairs pairs.jsonl --dtype int8 > logps_int8.jsonl

int8: projections, embedding and head; int4: the projections in int4, embedding and head in int8. Groups of 32 neighbours of a row,
scale = largest absolute value / 127 (or / 7), rounded half to even. Arithmetic, adapter, norms and biases are then float32. f64: the
weights as they are, arithmetic in float64 (cosines and sines of positions stay float32, as in transformers).
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


def norm_in_double(norm: torch.nn.Module) -> None:
    """transformers' norms compute in float32 whatever the model's dtype is."""
    norm.forward = lambda x: norm.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + norm.variance_epsilon)


def token_logps(model: torch.nn.Module, prompt: list[int], completion: list[int]) -> list[float]:
    logits = model(torch.tensor([prompt + completion])).logits[0, len(prompt) - 1 : -1]
    return logits.log_softmax(-1).gather(1, torch.tensor(completion)[:, None])[:, 0].tolist()


@torch.no_grad()
def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--model", "--adapter", "--pairs"):
        flags.add_argument(name, required=True)
    flags.add_argument("--dtype", choices=("f64", "int8", "int4"), required=True)
    args = flags.parse_args()
    double = args.dtype == "f64"
    base = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float64 if double else torch.float32)
    for name, weight in base.named_parameters():
        if double or weight.dim() < 2:
            continue
        is_table = "embed" in name or "lm_head" in name
        weight.copy_(rounded(weight, 127 if is_table or args.dtype == "int8" else 7))
    model = PeftModel.from_pretrained(base, args.adapter, autocast_adapter_dtype=not double).eval()
    if double:
        model = model.double()
        for module in model.modules():
            if type(module).__name__.endswith("RMSNorm"):
                norm_in_double(module)
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
