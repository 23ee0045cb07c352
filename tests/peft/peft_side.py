"""PEFT's side of `make test-peft`. Jobs come as a JSON list on stdin; answers, if any, go as one JSON line to stdout.

write  [{model, out, seed, r, alpha, rslora, targets}]  an adapter with random A and B, by PEFT's save_pretrained
logps  [{model, adapter, rows}]  → [{policy, reference}]  log-probabilities summed over each row's completion, in f64

Rows are {prompt_tokens, completion_tokens}; `adapter` is a directory, which must load whole and with nothing over.
"""

import json
import os
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

SPREAD = 0.05  # standard deviation of the matrices: an adapter that is felt, and not more


def base(model, dtype):
    return AutoModelForCausalLM.from_pretrained(model, dtype=dtype).eval()


def write(model, out, seed, r, alpha, rslora, targets):
    config = LoraConfig(r=r, lora_alpha=alpha, use_rslora=rslora, target_modules=targets, task_type="CAUSAL_LM")
    adapted = get_peft_model(base(model, torch.float32), config)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            parameter.data.normal_(std=SPREAD, generator=generator)
    adapted.save_pretrained(out)
    os.remove(os.path.join(out, "README.md"))  # a model card without a model


def logps(model, adapter, rows):
    adapted = PeftModel.from_pretrained(base(model, torch.float64), adapter).eval()
    check_loaded(adapted, adapter)
    policy = [logp(adapted, row) for row in rows]
    with adapted.disable_adapter():
        reference = [logp(adapted, row) for row in rows]
    return {"policy": policy, "reference": reference}


def check_loaded(adapted, adapter):
    """What PEFT has loaded is what the file holds: it only warns of a tensor that it does not find or know."""
    file = load_file(os.path.join(adapter, "adapter_model.safetensors"))
    loaded = get_peft_model_state_dict(adapted)
    if file.keys() != loaded.keys():
        raise SystemExit(f"{adapter}: of the file and PEFT only one has {sorted(file.keys() ^ loaded.keys())[:4]} …")
    for name, tensor in file.items():
        if not torch.equal(loaded[name].to(tensor.dtype), tensor):
            raise SystemExit(f"{adapter}: PEFT has another {name}")


def logp(model, row):
    prompt, completion = row["prompt_tokens"], row["completion_tokens"]
    logits = model(torch.tensor([prompt + completion])).logits[0, len(prompt) - 1 : -1]
    return logits.log_softmax(-1).gather(1, torch.tensor(completion)[:, None]).sum().item()


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    command = {"write": write, "logps": logps}[sys.argv[1]]
    print(json.dumps([command(**job) for job in json.load(sys.stdin)]))
