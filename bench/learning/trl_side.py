"""TRL's side of bench/learning.mjs: BCOTrainer and PEFT. A job is a line of JSON on stdin, and so is its answer on stdout.

A job has the directories `model`, `adapter` (PEFT, where it begins) and `out` (where the trained one goes), `votes` (a
JSON file of {prompt_tokens, completion_tokens, label}, trained in this order), `lr`, `beta`, `batch`, and `score`, a list of
{prompt_tokens, completion_tokens}. Its answer: `steps`, and `log_ratios`, log π − log π_ref of each of `score` under the
trained adapter, by transformers.

The reference does not depend on the seed: TRL's own `precompute_ref_log_probs` takes it from `References` once it is
known there. What is trained stays the same within rounding.
"""

import json
import os
import sys
import tempfile

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, PrinterCallback
from trl.experimental.bco import BCOTrainer

sys.path.append(os.path.join(os.path.dirname(__file__), "../trl"))
from bco import bco_config, dataset, logp, word_tokenizer  # noqa: E402


class References:
    """Log-probabilities of votes under the base of one model, as TRL has computed them."""

    def __init__(self):
        self.model, self.known = None, {}

    def of(self, model):
        if model != self.model:
            self.model, self.known = model, {}
        return self.known


class CachedReferences(BCOTrainer):
    def compute_reference_log_probs(self, padded_batch):
        keys = [
            (tuple(ids[mask.bool()].tolist()), tuple(labels[mask.bool()].tolist()))
            for ids, mask, labels in zip(
                padded_batch["completion_input_ids"],
                padded_batch["completion_attention_mask"],
                padded_batch["completion_labels"],
                strict=True,
            )
        ]
        if not all(key in self.known for key in keys):
            computed = super().compute_reference_log_probs(padded_batch).tolist()
            for key, logp in zip(keys, computed, strict=True):
                self.known.setdefault(key, logp)
        return torch.tensor([self.known[key] for key in keys])


def run(job, references):
    with open(job["votes"]) as file:
        votes = json.load(file)
    (end,) = {vote["completion_tokens"][-1] for vote in votes}
    base = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)
    base.config.use_cache = False
    adapted = PeftModel.from_pretrained(base, job["adapter"], is_trainable=True)
    with tempfile.TemporaryDirectory() as output:
        trainer = CachedReferences(
            model=adapted,
            args=bco_config(
                output,
                beta=job["beta"],
                per_device_train_batch_size=job["batch"],
                learning_rate=job["lr"],
                max_length=4096,  # nothing is to be cut
                precompute_ref_log_probs=True,
            ),
            train_dataset=dataset(votes),
            processing_class=word_tokenizer(base.config.vocab_size, end),
        )
        trainer.remove_callback(PrinterCallback)
        trainer.known = references.of(job["model"])
        trainer.train()
    adapted.save_pretrained(job["out"])
    return {"steps": trainer.state.global_step, "log_ratios": log_ratios(adapted, job["score"])}


def log_ratios(adapted, events):
    adapted.eval()
    with torch.no_grad():
        policy = [logp(adapted, event) for event in events]
        with adapted.disable_adapter():
            return [value - logp(adapted, event) for value, event in zip(policy, events, strict=True)]


def main():
    torch.set_num_threads(int(sys.argv[1]))
    references = References()
    with os.fdopen(os.dup(1), "w") as stdout:
        os.dup2(2, 1)  # what libraries print is no answer
        for line in sys.stdin:
            print(json.dumps(run(json.loads(line), references)), file=stdout, flush=True)


if __name__ == "__main__":
    main()
