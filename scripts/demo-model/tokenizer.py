"""Builds the demo model's tokenizer: byte-level BPE over the world's own words, ChatML turns."""

import json
import random
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from world import TOPICS, WORLD, answer, prompts

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
VOCAB_SIZE = 1024
MAX_POSITIONS = 128

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def build_tokenizer() -> Tokenizer:
    rng = random.Random(1)
    phrases = [s for kind, texts in WORLD.items() if kind != "topics" for s in texts]
    phrases += [s for topic in TOPICS for s in topic["steps"] + topic["outcomes"]]
    lines = [p.text for p in prompts() if not p.unseen] + phrases
    lines += ["user\n", "assistant\n", "system\n"] * 20
    lines += [answer(rng.randrange(len(TOPICS)), rng) for _ in range(4000)]

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=[AddedToken(t, special=True) for t in (PAD, START, END)],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, out: Path) -> None:
    tokenizer.save(str(out / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": False,
        "bos_token": None,
        "eos_token": END,
        "pad_token": PAD,
        "unk_token": None,
        "clean_up_tokenization_spaces": False,
        "model_max_length": MAX_POSITIONS,
        "chat_template": CHAT_TEMPLATE,
    }
    (out / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


def prompt_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    return tokenizer.encode(f"{START}user\n{text}{END}\n{START}assistant\n").ids


def answer_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    return tokenizer.encode(f"{text}{END}").ids
