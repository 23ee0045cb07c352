"""TRL's side of the comparison: BCOTrainer and PEFT over given token ids; one JSON line on stdout.

Events are a JSON list of {prompt_tokens, completion_tokens, label}; every completion ends in the same token. TRL takes
text only, so a word-level tokenizer stands in whose words are w0, w1, …: the text of token ids becomes these ids again.
"""

import argparse
import json
import math
import os
import resource
import tempfile
import time

import torch
from datasets import Dataset
from peft import LoraConfig
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, PrinterCallback, TrainerCallback
from trl.experimental.bco import BCOConfig, BCOTrainer

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
CORES = len(os.sched_getaffinity(0))


def word_tokenizer(vocab_size, end):
    words = Tokenizer(WordLevel({word(token): token for token in range(vocab_size)}, unk_token=word(0)))
    words.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token=word(0), eos_token=word(end))


def word(token):
    return f"w{token:07d}"  # of one width: no word is a part of another


def text(tokens):
    return "".join(f"{word(token)} " for token in tokens)


class Clock(TrainerCallback):
    """Wall and CPU seconds of each step, from its begin to its end: fetching the batch is not in it."""

    def __init__(self):
        self.steps = []

    def on_step_begin(self, *_, **__):
        self.begin = time.perf_counter(), time.process_time()

    def on_step_end(self, *_, **__):
        wall, cpu = self.begin
        self.steps.append((time.perf_counter() - wall, time.process_time() - cpu))


class CountingTrainer(BCOTrainer):
    """Counts the tokens that it is given."""

    def compute_loss(self, model, inputs, *arguments, **options):
        mask = inputs["completion_attention_mask"]
        loss = super().compute_loss(model, inputs, *arguments, **options)
        self.batches.append({"tokens": int(mask.sum()), "padded": mask.numel(), "loss": loss.detach().item()})
        return loss


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="model directory")
    parser.add_argument("events", help="JSON file")
    parser.add_argument("--dtype", choices=DTYPES, required=True, help="of the weights; the adapter is f32 in both")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--parts", type=int, default=1, help="of a batch; their gradients are added up")
    parser.add_argument("--warm-up", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--lr", type=float, default=1e-4)
    given = parser.parse_args()

    torch.set_num_threads(CORES)
    if given.batch % given.parts != 0:
        raise SystemExit(f"a batch of {given.batch} has no {given.parts} equal parts")
    with open(given.events) as file:
        events = json.load(file)[: given.batch * (given.warm_up + given.steps)]
    ends = {event["completion_tokens"][-1] for event in events}
    if len(events) < given.batch * (given.warm_up + given.steps) or len(ends) != 1:
        raise SystemExit(f"{len(events)} events that end in {ends}: too few, or not in one token")
    model = AutoModelForCausalLM.from_pretrained(given.model, dtype=DTYPES[given.dtype])
    model.config.use_cache = False
    tokenizer = word_tokenizer(model.config.vocab_size, ends.pop())
    rows = [
        {
            "prompt": text(event["prompt_tokens"]),
            "completion": text(event["completion_tokens"]),
            "label": event["label"],
        }
        for event in events
    ]
    with tempfile.TemporaryDirectory() as output:
        config = BCOConfig(
            output_dir=output,
            use_cpu=True,
            bf16=False,  # autocast on top of bf16 weights makes it slower
            per_device_train_batch_size=given.batch // given.parts,
            gradient_accumulation_steps=given.parts,
            num_train_epochs=1,
            gradient_checkpointing=False,
            learning_rate=given.lr,
            lr_scheduler_type="constant",
            max_grad_norm=1.0,
            weight_decay=0.0,
            max_length=max(map(length, events)) + 2,  # TRL keeps room for BOS and EOS; nothing is to be cut
            precompute_ref_log_probs=False,
            remove_unused_columns=False,
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            dataloader_pin_memory=False,
            seed=0,
        )
        clock = Clock()
        lora = LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
        trainer = CountingTrainer(
            model=model,
            args=config,
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
            peft_config=lora,
            callbacks=[clock],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.batches = []
        trainer.train()

    first = trainer.batches[0]["loss"]
    if not math.isclose(first, math.log(2), rel_tol=1e-2):
        raise SystemExit(f"the first loss is {first}, not ln 2: this is not BCO as TRL has it")
    tokens = sum(batch["tokens"] for batch in trainer.batches)
    if tokens != sum(map(length, events)):
        raise SystemExit(f"TRL trained {tokens} tokens, not {sum(map(length, events))}")
    measured, steps = trainer.batches[given.warm_up * given.parts :], clock.steps[given.warm_up :]
    seconds = sum(wall for wall, _ in steps)
    tokens = sum(batch["tokens"] for batch in measured)
    report = {
        "dtype": given.dtype,
        "threads": torch.get_num_threads(),
        "steps": len(steps),
        "parts": given.parts,
        "tokens": tokens,
        "padded_tokens": sum(batch["padded"] for batch in measured),
        "seconds": seconds,
        "tokens_per_s": tokens / seconds,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "cpu_share": sum(cpu for _, cpu in steps) / seconds / CORES,
    }
    print(json.dumps(report))


def length(event):
    return len(event["prompt_tokens"]) + len(event["completion_tokens"])


if __name__ == "__main__":
    main()
