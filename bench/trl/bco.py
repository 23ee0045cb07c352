"""How TRL's BCOTrainer is given bcod's events, here and in bench/learning and tests/trl.

Events are {prompt_tokens, completion_tokens, label}; every completion ends in the same token. TRL takes text only, so a
word-level tokenizer stands in whose words are w0, w1, …: the text of token ids becomes these ids again.
"""

import torch
from datasets import Dataset
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import PreTrainedTokenizerFast
from trl.experimental.bco import BCOConfig


def word_tokenizer(vocab_size, end):
    words = Tokenizer(WordLevel({word(token): token for token in range(vocab_size)}, unk_token=word(0)))
    words.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token=word(0), eos_token=word(end))


def word(token):
    return f"w{token:07d}"  # of one width: no word is a part of another


def text(tokens):
    return "".join(f"{word(token)} " for token in tokens)


def dataset(events):
    return Dataset.from_list(
        [
            {
                "prompt": text(event["prompt_tokens"]),
                "completion": text(event["completion_tokens"]),
                "label": event["label"],
            }
            for event in events
        ]
    )


def bco_config(output, **settings):
    """One pass over the events in their order, in the weights' own type, on the CPU; AdamW as bcod has it by default.
    Nothing is written to `output` or logged."""
    return BCOConfig(
        output_dir=output,
        **{
            "use_cpu": True,
            "bf16": False,  # autocast on top of bf16 weights makes it slower
            "num_train_epochs": 1,
            "gradient_checkpointing": False,
            "lr_scheduler_type": "constant",
            "max_grad_norm": 1.0,
            "weight_decay": 0.0,
            "remove_unused_columns": False,
            "report_to": [],
            "save_strategy": "no",
            "logging_strategy": "no",
            "disable_tqdm": True,
            "dataloader_pin_memory": False,
            "seed": 0,
        }
        | settings,
    )


def logp(model, event):
    """log π of the event's completion, summed over its tokens."""
    prompt, completion = event["prompt_tokens"], event["completion_tokens"]
    logits = model(torch.tensor([prompt + completion])).logits[0, len(prompt) - 1 : -1]
    return logits.log_softmax(-1).gather(1, torch.tensor(completion)[:, None]).sum().item()
