"""TRL's side of `make test-trl`. Jobs come as a JSON list on stdin (cases.mjs, with a folder `out`); answers go as one
JSON line to stdout: for each job what TRL measured in f64, in f32, and in f64 with disturbed gradients, by name:
{name: {steps, policy, reference}}.

It writes OUT/model (by transformers, in f32), OUT/adapter (by PEFT, A and B random) and, from both, lets BCOTrainer
train: OUT/NAME_adapter.safetensors, and OUT/NAME_gradient.safetensors of the first step, clipped. `policy` and
`reference` are the events' log-probabilities after training, summed over the completion.

transformers and TRL turn some things to f32 whatever the weights are: norms, rotary angles, the moments of the rewards.
In the f64 runs that is f64 as well (`all_in_f64`), so that their numbers are the exact ones next to f32.

The disturbed runs show what AdamW makes of rounding: where a gradient comes near 0, its step depends on the last digits
of it. In each step every element is off at random, by about twice as much as it is in the first step in f32, relative
to the norm of its matrix.
"""

import contextlib
import json
import math
import os
import sys
import tempfile
from functools import partial
from unittest import mock

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, PrinterCallback, TrainerCallback
from trl.experimental.bco import BCOTrainer

sys.path.append(os.path.join(os.path.dirname(__file__), "../../bench/trl"))
from bco import bco_config, dataset, logp, word_tokenizer  # noqa: E402

F64, F32 = torch.float64, torch.float32


@contextlib.contextmanager
def all_in_f64():
    """Code that asks for f32 by any of its names gets f64."""
    with (
        mock.patch.object(torch, "float32", torch.float64),
        mock.patch.object(torch, "float", torch.float64),
        mock.patch.object(torch.Tensor, "float", torch.Tensor.double),
    ):
        yield


def write_model(job, out):
    config = AutoConfig.for_model(**job["config"], bos_token_id=None, pad_token_id=None, eos_token_id=job["end"])
    model = AutoModelForCausalLM.from_config(config, dtype=F32)
    generator = torch.Generator().manual_seed(job["seed"])
    for name, parameter in model.named_parameters():
        if parameter.dim() == 2:
            parameter.data.normal_(std=job["gain"] / math.sqrt(parameter.shape[1]), generator=generator)
        else:
            parameter.data.normal_(mean=1.0 if "norm" in name else 0.0, std=0.2, generator=generator)
    model.save_pretrained(out, max_shard_size="60KB" if job["sharded"] else "1GB")
    if job["oldRopeFields"]:
        use_old_rope_fields(os.path.join(out, "config.json"))


def use_old_rope_fields(path):
    with open(path) as file:
        config = json.load(file)
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    with open(path, "w") as file:
        json.dump(config, file)


def write_adapter(job, model, out):
    lora = job["lora"]
    config = LoraConfig(
        r=lora["r"],
        lora_alpha=lora["alpha"],
        use_rslora=lora["rslora"],
        target_modules=lora["targets"],
        task_type="CAUSAL_LM",
    )
    adapted = get_peft_model(AutoModelForCausalLM.from_pretrained(model, dtype=F32), config)
    generator = torch.Generator().manual_seed(job["seed"] + 1)
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            parameter.data.normal_(std=lora["spread"], generator=generator)
    adapted.save_pretrained(out)


class RecordingTrainer(BCOTrainer):
    """Keeps what each step measures, and checks that it is given the events in their order, token by token."""

    def get_batch_loss_metrics(self, model, batch, do_train=True):
        for ids, mask, label in zip(
            batch["completion_input_ids"], batch["completion_attention_mask"], batch["label"], strict=True
        ):
            event = self.expected.pop(0)
            if ids[mask.bool()].tolist() != event["prompt_tokens"] + event["completion_tokens"]:
                raise SystemExit(f"TRL trains other tokens than those of {event}")
            if label != event["label"]:
                raise SystemExit(f"TRL trains another label than that of {event}")
        loss, metrics = super().get_batch_loss_metrics(model, batch, do_train)

        def mean(kind):
            count = metrics.get(f"count/{kind}", 0)
            return metrics[f"rewards/{kind}_sum"] / count if count > 0 else None

        self.measured.append(
            {
                "loss": loss.item(),
                "delta": metrics["delta"],
                "reward_up_mean": mean("chosen"),
                "reward_down_mean": mean("rejected"),
            }
        )
        return loss, metrics


class Observer(TrainerCallback):
    """Keeps the learning rates and the first gradients; disturbs each gradient at random, by `errors` of its norm."""

    def __init__(self, parameters, errors, seed):
        self.parameters, self.errors = parameters, errors
        self.generator = torch.Generator().manual_seed(seed)
        self.rates, self.gradients = [], None

    def on_pre_optimizer_step(self, *_, optimizer, **__):
        self.rates.append(optimizer.param_groups[0]["lr"])
        if self.gradients is None:
            self.gradients = {name: parameter.grad.clone() for name, parameter in self.parameters.items()}
        for name, error in self.errors.items():
            gradient = self.parameters[name].grad
            noise = torch.randn(error.shape, generator=self.generator, dtype=error.dtype)
            gradient.add_(noise * error * gradient.norm())


def load(model, adapter, dtype):
    base = AutoModelForCausalLM.from_pretrained(model, dtype=dtype)
    base.config.use_cache = False
    adapted = PeftModel.from_pretrained(base, adapter, is_trainable=True)
    other = {name for name, parameter in adapted.named_parameters() if parameter.dtype != dtype}
    if other:
        raise SystemExit(f"not in {dtype}: {other}")
    return adapted


def train(job, adapted, out, errors=None, seed=0):
    """@returns the answer and the gradients of the first step"""
    decoder = adapted.base_model.model.model
    decoder.rotary_emb = type(decoder.rotary_emb)(adapted.config)  # its frequencies, in the precision that holds here
    events, optimizer = job["events"], job["optimizer"]
    parameters = {
        name.replace(".default", ""): parameter
        for name, parameter in adapted.named_parameters()
        if parameter.requires_grad
    }
    observer = Observer(parameters, errors or {}, seed)
    with tempfile.TemporaryDirectory() as output:
        trainer = RecordingTrainer(
            model=adapted,
            args=bco_config(
                output,
                beta=job["beta"],
                per_device_train_batch_size=job["batch"]["size"],
                learning_rate=optimizer["lr"],
                lr_scheduler_type=optimizer["schedule"],
                adam_beta1=optimizer["beta1"],
                adam_beta2=optimizer["beta2"],
                adam_epsilon=optimizer["eps"],
                weight_decay=optimizer["weightDecay"],
                max_grad_norm=optimizer["clipNorm"],
                max_length=1024,  # nothing is to be cut
                logging_strategy="steps",
                logging_steps=1,
            ),
            train_dataset=dataset(events),
            processing_class=word_tokenizer(adapted.config.vocab_size, job["end"]),
            callbacks=[observer],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.measured, trainer.expected = [], list(events)
        trainer.train()
    norms = [entry["grad_norm"] for entry in trainer.state.log_history if "grad_norm" in entry]
    steps = [
        {**measured, "grad_norm": norm, "lr": rate}
        for measured, norm, rate in zip(trainer.measured, norms, observer.rates, strict=True)
    ]
    if trainer.expected or len(steps) != optimizer["totalSteps"]:
        raise SystemExit(f"TRL took {len(steps)} steps and left {len(trainer.expected)} events")

    save_file(get_peft_model_state_dict(adapted), f"{out}_adapter.safetensors")
    save_file(observer.gradients, f"{out}_gradient.safetensors")
    adapted.eval()
    with torch.no_grad():
        policy = [logp(adapted, event) for event in events]
        with adapted.disable_adapter():
            reference = [logp(adapted, event) for event in events]
    return {"steps": steps, "policy": policy, "reference": reference}, observer.gradients


def run(job):
    inside = partial(os.path.join, job["out"])
    model, adapter = inside("model"), inside("adapter")
    write_model(job, model)
    write_adapter(job, model, adapter)
    answers = {}

    def exact(name, **options):
        loaded = load(model, adapter, F64)
        with all_in_f64():
            answers[name], gradients = train(job, loaded, inside(name), **options)
        return gradients

    right = exact("f64")
    answers["f32"], rounded = train(job, load(model, adapter, F32), inside("f32"))
    errors = {name: 2 * (rounded[name] - gradient) / gradient.norm() for name, gradient in right.items()}
    for seed in range(job["disturbed"]):
        exact(f"disturbed_{seed}", errors=errors, seed=seed)
    return answers


if __name__ == "__main__":
    torch.set_num_threads(1)  # a second one gains nothing on matrices this small, and costs much where it is busy
    with os.fdopen(os.dup(1), "w") as stdout:
        os.dup2(2, 1)  # what libraries print is no answer
        answers = [run(job) for job in json.load(sys.stdin)]
        print(json.dumps(answers), file=stdout)
