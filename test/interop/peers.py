"""The real PyTorch, PEFT and TRL, answering the interop tests: a JSON object a line on stdin, one back on stdout.

A request is {"do": NAME, ...arguments of the function of that name below}; the answer {"result": ...} or {"error": "..."}. One process
serves a whole test file, because importing these libraries takes longer than all the work they are asked for. float32, eager
attention, one thread, no padding.
"""
import contextlib
import json
import os
import sys
import tempfile
import traceback

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", HF_DATASETS_DISABLE_PROGRESS_BARS="1")
answers = os.fdopen(os.dup(1), "w", encoding="utf-8")  # the trainer prints to stdout what it logs
os.dup2(2, 1)

import torch
from datasets import load_dataset
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer

torch.set_num_threads(1)


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def load_policy(model, adapter, trainable=False):
    base = load(model)
    return PeftModel.from_pretrained(base, adapter, is_trainable=trainable).eval() if adapter else base


def adapter_off(model):
    return model.disable_adapter() if isinstance(model, PeftModel) else contextlib.nullcontext()


def read_pairs(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def token_logps(model, prompt, completion):
    """log p of each completion token; the logits at position t - 1 predict token t."""
    logits = model(input_ids=torch.tensor([prompt + completion]), use_cache=False).logits[0, len(prompt) - 1 : -1]
    return torch.log_softmax(logits, dim=-1).gather(1, torch.tensor(completion)[:, None])[:, 0]


@torch.no_grad()
def logps(model, pairs, adapter=None, double=False):
    """Per pair of a file of ids: the fields of `errata logps`. The reference is the model with its adapter off."""
    policy = load_policy(model, adapter)
    if double:
        policy = policy.double()
    rows = []
    for pair in read_pairs(pairs):
        row = {}
        for side in ("chosen", "rejected"):
            tokens = token_logps(policy, pair["prompt_ids"], pair[f"{side}_ids"])
            with adapter_off(policy):
                reference = token_logps(policy, pair["prompt_ids"], pair[f"{side}_ids"])
            row |= {f"{side}_logp": tokens.sum().item(), f"ref_{side}_logp": reference.sum().item(), f"{side}_token_logps": tokens.tolist()}
        rows.append(row)
    return rows


def gradients(model, pairs, adapter, out, beta=0.1):
    """Writes the gradients of the pairs' mean DPO loss as safetensors with PEFT's names; gives the loss."""
    policy = load_policy(model, adapter, trainable=True)
    losses = []
    for pair in read_pairs(pairs):
        sums = lambda: [token_logps(policy, pair["prompt_ids"], pair[f"{side}_ids"]).sum() for side in ("chosen", "rejected")]
        chosen, rejected = sums()
        with torch.no_grad(), adapter_off(policy):
            ref_chosen, ref_rejected = sums()
        losses.append(-torch.nn.functional.logsigmoid(beta * ((chosen - ref_chosen) - (rejected - ref_rejected))))
    loss = torch.stack(losses).mean()
    loss.backward()
    save_file({name.replace(".default.", "."): p.grad.contiguous() for name, p in policy.named_parameters() if p.grad is not None}, out)
    return loss.item()


@torch.no_grad()
def greedy(model, prompt_ids, tokens, adapter=None):
    """The likeliest continuation, the end token ignored, and the smallest distance between a winner and the second."""
    policy, ids, margin = load_policy(model, adapter), list(prompt_ids), float("inf")
    for _ in range(tokens):
        best = torch.topk(policy(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1], 2)
        margin = min(margin, (best.values[0] - best.values[1]).item())
        ids.append(best.indices[0].item())
    return {"ids": ids[len(prompt_ids) :], "margin": margin}


def make(out, config, lora, seed, dtype="float32", spread=1.0):
    """Saves a random model as OUT/model and a random adapter (B too) as OUT/adapter, as transformers and PEFT save them."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config), dtype=torch.float32, attn_implementation="eager")
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(1 + 0.2 * torch.randn_like(p) if name.endswith("norm.weight") else spread * torch.randn_like(p) * p.shape[-1] ** -0.5)
    model.to(getattr(torch, dtype)).save_pretrained(f"{out}/model")
    policy = get_peft_model(model.float(), LoraConfig(task_type="CAUSAL_LM", **lora))
    with torch.no_grad():
        for name, p in policy.named_parameters():
            if "lora_" in name:
                p.copy_(torch.randn_like(p) * 0.5 * p.shape[-1] ** -0.5)
    policy.save_pretrained(f"{out}/adapter")
    return sum(p.numel() for p in model.parameters())


def train(model, preferences, adapter=None, steps=2, batch=2):
    """Opens a preferences.jsonl with `datasets` and trains on it with the real DPOTrainer; gives what it logged, step by step."""
    with tempfile.TemporaryDirectory() as scratch:
        dataset = load_dataset("json", data_files=preferences, split="train", cache_dir=scratch)
        arguments = DPOConfig(
            output_dir=scratch, max_steps=steps, per_device_train_batch_size=batch, learning_rate=1e-3, bf16=False, use_cpu=True,
            gradient_checkpointing=False, logging_steps=1, save_strategy="no", report_to="none", train_sampling_strategy="sequential",
            disable_tqdm=True, dataset_num_proc=None)
        trainer = DPOTrainer(
            model=load_policy(model, adapter, trainable=True), train_dataset=dataset, processing_class=AutoTokenizer.from_pretrained(model),
            peft_config=None if adapter else LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=8, target_modules="all-linear"), args=arguments)
        trainer.train()
        return {"columns": dataset.column_names, "rows": len(dataset), "steps": [row for row in trainer.state.log_history if "loss" in row]}


DO = {f.__name__: f for f in (logps, gradients, greedy, make, train)}

for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {"result": DO[request.pop("do")](**request)}
    except Exception as error:
        traceback.print_exc()
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), file=answers, flush=True)
