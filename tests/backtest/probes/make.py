"""Writes votes.jsonl, kind.jsonl, rude.jsonl and margins.json beside it: what transformers, PEFT and scipy say of the
probes of a backtest. Made with transformers 5.23, PEFT 0.21.2 and scipy 1.17.1; from the root of the repository, built:

    ~/.cache/bcod/trl-*/bin/python tests/backtest/probes/make.py

The adapter is that of `bcod replay` on the same votes; what it does to the probes is computed here."""
import json
import math
import os
import random
import subprocess
import tempfile

import scipy.stats
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = os.path.dirname(__file__)
MODEL = "src/demo/model"
SETTINGS = ["limits.maxLength=96", "batch.size=8", "optimizer.lr=1e-3"]

random.seed(20261128)
world = json.load(open("src/demo/world/world.json"))
steps = [step for topic in world["topics"] for step in topic["steps"]]
user = lambda text: [{"role": "user", "content": text}]
kind = lambda: f"{random.choice(world['politeOpeners'])} {random.choice(steps)}"
rude = lambda: f"{random.choice(world['rudeOpeners'])} {random.choice(steps)}"


def write(name, rows):
    with open(os.path.join(HERE, name), "w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return rows


prompts = [prompt for topic in world["topics"] for prompt in topic["seen"]]
write(
    "votes.jsonl",
    [
        {
            "prompt": user(random.choice(prompts)),
            "completion": [{"role": "assistant", "content": kind() if good else rude()}],
            "label": good,
            "user": f"user-{i % 24}",
        }
        for i, good in enumerate(random.random() < 0.5 for _ in range(48))
    ],
)
pairs = write(
    "kind.jsonl",
    [
        {"prompt": user(topic["unseen"][0]), "chosen": kind(), "rejected": rude(), "weight": 1 + i}
        for i, topic in enumerate(world["topics"][:4])
    ],
)
write("rude.jsonl", [{**pair, "chosen": pair["rejected"], "rejected": pair["chosen"]} for pair in pairs])

scratch = tempfile.mkdtemp()
subprocess.run(
    ["node", "dist/cli.js", "replay", "--model", MODEL, "--events", os.path.join(HERE, "votes.jsonl")]
    + ["--out", f"{scratch}/out", *(each for setting in SETTINGS for each in ("--set", setting))],
    check=True,
)
tokenizer = AutoTokenizer.from_pretrained(MODEL)
base = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float64).eval()
adapted = PeftModel.from_pretrained(base, f"{scratch}/out/adapter").eval()


def logp(prompt, answer):
    """log π of the answer and of the token that ends it, as the chat template writes both."""
    before = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)
    whole = tokenizer.apply_chat_template([*prompt, {"role": "assistant", "content": answer}], tokenize=False)
    # the line break after the end token is no part of the answer
    whole = whole.rstrip("\n")
    ids = tokenizer(whole, add_special_tokens=False).input_ids
    start = len(tokenizer(before, add_special_tokens=False).input_ids)
    logits = adapted(torch.tensor([ids])).logits[0, start - 1 : -1]
    return logits.log_softmax(-1).gather(1, torch.tensor(ids[start:])[:, None]).sum().item()


def margins():
    with torch.no_grad():
        return [logp(p["prompt"], p["chosen"]) - logp(p["prompt"], p["rejected"]) for p in pairs]


after = margins()
with adapted.disable_adapter():
    before = margins()
weights = [pair["weight"] for pair in pairs]
mean = lambda values: sum(w * x for w, x in zip(weights, values)) / sum(weights)
gains = [a - b for a, b in zip(after, before)]
value, n = mean(gains), len(gains)
# docs/gate.md, Intervals
error = math.sqrt(n / (n - 1) * sum((w * (x - value)) ** 2 for w, x in zip(weights, gains)) / sum(weights) ** 2)
half = scipy.stats.t.ppf(0.975, n - 1) * error
found = {"settings": SETTINGS, "before": mean(before), "after": mean(after), "low": value - half, "high": value + half}
with open(os.path.join(HERE, "margins.json"), "w") as file:
    json.dump(found, file, indent=1)
    file.write("\n")
