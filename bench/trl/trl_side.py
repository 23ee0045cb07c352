"""TRL's side of the comparison: BCOTrainer and PEFT over given token ids; one JSON line on stdout."""

import argparse
import json
import math
import os
import resource
import tempfile
import time

import torch
from bco import bco_config, dataset, word_tokenizer
from peft import LoraConfig
from transformers import AutoModelForCausalLM, PrinterCallback, TrainerCallback
from trl.experimental.bco import BCOTrainer

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
CORES = len(os.sched_getaffinity(0))


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
    parser.add_argument("events", help="JSON list of events")
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
    with tempfile.TemporaryDirectory() as output:
        config = bco_config(
            output,
            per_device_train_batch_size=given.batch // given.parts,
            gradient_accumulation_steps=given.parts,
            learning_rate=given.lr,
            max_length=max(map(length, events)) + 2,  # TRL keeps room for BOS and EOS; nothing is to be cut
            precompute_ref_log_probs=False,
        )
        clock = Clock()
        lora = LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
        trainer = CountingTrainer(
            model=model,
            args=config,
            train_dataset=dataset(events),
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
