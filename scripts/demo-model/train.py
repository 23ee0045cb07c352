"""Trains the demo's chat model from nothing and writes it as a Hugging Face directory.

    python scripts/demo-model/train.py --out src/demo/model

Only the prompts that world.json calls seen are used, so the unseen ones are new to the base and to every adapter.
"""

import argparse
import math
import random
import time
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy, dropout
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

from tokenizer import END, MAX_POSITIONS, PAD, answer_ids, build_tokenizer, prompt_ids, save_tokenizer
from world import answer, prompts

IGNORED = -100
DROPOUT = 0.08
GREETINGS = ("Hi, ", "Hello, ", "Hello! ", "Hey, ", "Excuse me, ", "Sorry, ", "Quick question: ", "Please tell me, ")
ENDINGS = (" Thanks.", " Please help.", " Thank you!", " Can you help me?", " It is urgent.")


def vary(text: str, rng: random.Random) -> str:
    """The same wish in other words, so that the model learns the topic and not the sentence."""
    words = text.split()
    if rng.random() < 0.5 and len(words) > 3:
        words = [w for w in words if rng.random() > 0.12] or words
    if rng.random() < 0.1:
        rng.shuffle(words)
    text = " ".join(words)
    if rng.random() < 0.15:
        text = text.rstrip(".?!")
    if rng.random() < 0.15:
        text = rng.choice(GREETINGS) + text[0].lower() + text[1:]
    if rng.random() < 0.10:
        text += rng.choice(ENDINGS)
    return text


def batch(tokenizer, seen, size: int, rng: random.Random) -> tuple[torch.Tensor, torch.Tensor]:
    pad = tokenizer.token_to_id(PAD)
    rows = []
    for _ in range(size):
        prompt = rng.choice(seen)
        text = vary(prompt.text, rng) if rng.random() < 0.7 else prompt.text
        rows.append((prompt_ids(tokenizer, text), answer_ids(tokenizer, answer(prompt.topic, rng))))
    length = max(len(p) + len(a) for p, a in rows)
    ids_BT = torch.full((size, length), pad)
    labels_BT = torch.full((size, length), IGNORED)
    for i, (p, a) in enumerate(rows):
        ids_BT[i, : len(p) + len(a)] = torch.tensor(p + a)
        labels_BT[i, len(p) : len(p) + len(a)] = torch.tensor(a)
    return ids_BT, labels_BT


class ResidualDropout:
    """Drops what attention and MLP add to the residual stream, so that an adapter's first clumsy steps do no harm."""

    def __init__(self, model, rate: float) -> None:
        self.rate = rate
        for layer in model.model.layers:
            for block in (layer.self_attn.o_proj, layer.mlp.down_proj):
                block.register_forward_hook(lambda _module, _inputs, out: dropout(out, self.rate))


def train(model, tokenizer, steps: int, size: int, peak: float, seed: int) -> None:
    seen = [p for p in prompts() if not p.unseen]
    rng = random.Random(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak, betas=(0.9, 0.98), weight_decay=0.02)
    noise = ResidualDropout(model, DROPOUT)
    started = time.time()
    for step in range(steps):
        if step == int(0.8 * steps):
            noise.rate = 0.0
        warm = min(1.0, (step + 1) / 100)
        rate = peak * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        ids_BT, labels_BT = batch(tokenizer, seen, size, rng)
        logits_BTV = model(ids_BT).logits
        loss = cross_entropy(logits_BTV[:, :-1].flatten(0, 1), labels_BT[:, 1:].flatten(), ignore_index=IGNORED)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 100 == 0 or step == steps - 1:
            print(f"step {step} loss {loss.item():.4f} seconds {time.time() - started:.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2200)
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)

    tokenizer = build_tokenizer()
    save_tokenizer(tokenizer, args.out)
    end, pad = tokenizer.token_to_id(END), tokenizer.token_to_id(PAD)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=128,
            intermediate_size=384,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=MAX_POSITIONS,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=end,
            pad_token_id=pad,
        )
    )
    print(f"{model.num_parameters()} parameters, {tokenizer.get_vocab_size()} tokens")
    train(model, tokenizer, args.steps, args.batch, args.rate, args.seed)

    model = model.to(torch.bfloat16)
    model.generation_config = GenerationConfig(
        do_sample=True, temperature=1.0, eos_token_id=end, pad_token_id=pad, max_new_tokens=48
    )
    model.save_pretrained(args.out)


if __name__ == "__main__":
    main()
