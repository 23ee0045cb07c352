"""PyTorch's side of a measurement: the steps of a job (job.mjs) as fast as PyTorch does them.

    python3 torch_side.py JOB [--dtype bf16|f32] [--device cuda|cpu] [--compile]

A step is what bcod's is in `bco.mode=trl`: a reference pass without the adapter, a policy pass with gradient, clipping at
1, AdamW. Events lie end to end, so there is no padding, and logits are computed at completion positions alone. It tells
what happens as train.mjs does, a line of JSON each: {event: loaded | warm | step | done, at (ms), …}.
"""

import argparse
import json
import sys
import time

import torch
import torch.nn.functional as F
from llama import Llama

BETA = 0.1
DTYPES = {"bf16": torch.bfloat16, "f32": torch.float32}


def say(event, **line):
    print(json.dumps({"event": event, "at": time.time() * 1000, **line}), flush=True)


def flash(q, k, v, ends, longest):
    """Causal attention of each sequence by itself, by the flash kernel: [T, heads, channels]."""
    return torch.ops.aten._flash_attention_forward(q, k, v, ends, ends, longest, longest, 0.0, True, False)[0]


def one_by_one(q, k, v, ends, longest):
    """The same, sequence after sequence."""
    edges = ends.tolist()
    q, k, v = (x.transpose(0, 1).unsqueeze(0) for x in (q, k, v))
    parts = [
        F.scaled_dot_product_attention(*(x[:, :, a:b] for x in (q, k, v)), is_causal=True, enable_gqa=True)
        for a, b in zip(edges, edges[1:])
    ]
    return torch.cat(parts, dim=2).squeeze(0).transpose(0, 1)


def fastest_attention(device, dtype):
    """The flash kernel if there is one that takes fewer keys than queries, forward and backward, and computes the same."""
    if device != "cuda" or dtype != torch.bfloat16:
        return one_by_one, "one by one"
    try:
        ends = torch.tensor([0, 5, 16], dtype=torch.int32, device=device)
        q, k, v = (torch.randn(16, heads, 64, device=device, dtype=dtype, requires_grad=True) for heads in (4, 2, 2))
        out = flash(q, k, v, ends, 11)
        out.sum().backward()
        if k.grad is not None and (out - one_by_one(q, k, v, ends, 11)).abs().max().item() < 0.05:
            return flash, "flash"
    except (RuntimeError, TypeError) as error:
        print(f"no flash kernel for sequences end to end: {error}", file=sys.stderr)
    return one_by_one, "one by one"


def batch_of(events, device):
    """Events end to end; `sources` are the positions that predict the tokens of completions, `owners` their events."""
    tokens, positions, ends, sources, targets, owners = [], [], [0], [], [], []
    for row, event in enumerate(events):
        prompt, completion = event["promptTokens"], event["completionTokens"]
        first = ends[-1] + len(prompt) - 1
        sources += range(first, first + len(completion))
        targets += completion
        owners += [row] * len(completion)
        tokens += [*prompt, *completion]
        positions += range(len(prompt) + len(completion))
        ends.append(len(tokens))
    on_device = lambda values, dtype=torch.long: torch.tensor(values, dtype=dtype, device=device)
    return {
        "tokens": on_device(tokens),
        "positions": on_device(positions),
        "ends": on_device(ends, torch.int32),
        "longest": max(b - a for a, b in zip(ends, ends[1:])),
        "sources": on_device(sources),
        "targets": on_device(targets),
        "owners": on_device(owners),
        "events": len(events),
        "signs": on_device([1.0 if event["label"] else -1.0 for event in events], torch.float32),
    }


class RunningMean:
    """δ of TRL: the mean of all rewards so far, those of the step among them."""

    def __init__(self):
        self.value, self.count = 0.0, 0

    def with_(self, rewards):
        self.count += len(rewards)
        self.value = self.value + (rewards.mean() - self.value) * len(rewards) / self.count
        return self.value


def matmul_tflops(size=8192, times=20):
    """What this card makes of large products in bf16."""
    a, b = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        a @ b
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(times):
        a @ b
    end.record()
    torch.cuda.synchronize()
    return times * 2 * size**3 / start.elapsed_time(end) / 1e9


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job")
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--compile", action="store_true", help="torch.compile for each layer")
    given = parser.parse_args()
    cuda, dtype = given.device == "cuda", DTYPES[given.dtype]
    # the f32 of adapters beside bf16 may use the tensor cores; f32 as such is f32, as bcod's is
    torch.set_float32_matmul_precision("high" if given.dtype == "bf16" else "highest")
    torch.manual_seed(0)
    with open(given.job) as file:
        job = json.load(file)
    started = time.perf_counter()
    attention, name = fastest_attention(given.device, dtype)
    model = Llama(job, attention, dtype, given.device)
    if given.compile:
        for layer in model.layers:
            layer.compile(dynamic=True)
    trained = list(model.parameters())
    optimizer = torch.optim.AdamW(trained, lr=1e-4, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, fused=cuda)
    synchronize = torch.cuda.synchronize if cuda else lambda: None
    synchronize()
    where = torch.cuda.get_device_name() if cuda else "cpu"
    about = {"torch": torch.__version__, "device": where, "dtype": given.dtype, "attention": name}
    say("loaded", **about, compiled=given.compile, load_s=time.perf_counter() - started)

    delta = RunningMean()
    for number in range(job["warm_up"] + job["steps"]):
        synchronize()
        began = time.perf_counter()
        batch = batch_of(job["batches"][number % len(job["batches"])], given.device)
        with torch.no_grad():
            reference = model(batch, adapted=False)
        rewards = BETA * (model(batch, adapted=True) - reference)
        loss = -F.logsigmoid(batch["signs"] * (rewards - delta.with_(rewards.detach()))).mean()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        # bcod tells them in every step, too
        told = {"loss": loss.item(), "grad_norm": norm.item()}
        synchronize()
        say("warm" if number < job["warm_up"] else "step", seconds=time.perf_counter() - began, **told)
    memory = {"peak_mib": torch.cuda.max_memory_allocated() / 2**20} if cuda else {}
    ceiling = {"matmul_tflops": matmul_tflops()} if cuda else {}
    say("done", **memory, **ceiling)


if __name__ == "__main__":
    main()
