"""A Llama over sequences laid end to end, with LoRA as PEFT computes it, in nothing but PyTorch.

T: positions of all sequences; D: hidden size; H: heads, G of them keys and values; E: channels of a head.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

DTYPES = {"BF16": torch.bfloat16, "F32": torch.float32}
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
LINEAR = (*(f"self_attn.{name}" for name in ATTENTION), "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")


def read_safetensors(path):
    """{name: tensor} of a file, in its memory."""
    data = bytearray(Path(path).read_bytes())
    size = int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        dtype = DTYPES[entry["dtype"]]
        flat = torch.frombuffer(data, dtype=dtype, count=(end - begin) // dtype.itemsize, offset=8 + size + begin)
        tensors[name] = flat.view(entry["shape"])
    return tensors


class LoraLinear(nn.Module):
    """x Wᵀ + s (x Aᵀ) Bᵀ; A and B are f32 whatever x is, as PEFT keeps them."""

    def __init__(self, weight, a, b, scale):
        super().__init__()
        self.register_buffer("weight", weight)
        self.a, self.b, self.scale = nn.Parameter(a), nn.Parameter(b), scale

    def forward(self, x, adapted):
        y = F.linear(x, self.weight)
        if not adapted:
            return y
        return y + (F.linear(F.linear(x.float(), self.a), self.b) * self.scale).to(y.dtype)


class Layer(nn.Module):
    def __init__(self, config, weights, lora, attention):
        super().__init__()
        self.eps, self.attention = config["rms_norm_eps"], attention
        self.head = config["hidden_size"] // config["num_attention_heads"]
        for name in ("input_layernorm", "post_attention_layernorm"):
            self.register_buffer(name, weights[f"{name}.weight"])
        for name in LINEAR:
            setattr(self, name.split(".")[1], LoraLinear(weights[f"{name}.weight"], *lora(name)))

    def forward(self, x_TD, rotation, ends, longest, adapted):
        h = self.normed(x_TD, self.input_layernorm)
        q, k, v = (
            project(h, adapted).view(len(h), -1, self.head) for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        out = self.attention(rotate(q, *rotation), rotate(k, *rotation), v, ends, longest)
        x_TD = x_TD + self.o_proj(out.reshape(len(h), -1), adapted)
        h = self.normed(x_TD, self.post_attention_layernorm)
        inner = F.silu(self.gate_proj(h, adapted)) * self.up_proj(h, adapted)
        return x_TD + self.down_proj(inner, adapted)

    def normed(self, x, weight):
        return F.rms_norm(x, (x.shape[-1],), weight, self.eps)


def rotate(x_THE, cos, sin):
    first, second = x_THE.chunk(2, dim=-1)
    return x_THE * cos + torch.cat([-second, first], dim=-1) * sin


class Llama(nn.Module):
    """The model of a directory with a tied head, and the adapter of another one; a new one without it."""

    def __init__(self, job, attention, dtype, device):
        super().__init__()
        self.config, self.dtype = job["config"], dtype
        model = {
            name: tensor.to(device, dtype)
            for name, tensor in read_safetensors(f"{job['model']}/model.safetensors").items()
        }
        adapter_file = Path(job["adapter"]) / "adapter_model.safetensors"
        adapter = read_safetensors(adapter_file) if adapter_file.exists() else None
        r, scale = job["lora"]["r"], job["lora"]["alpha"] / job["lora"]["r"]

        def lora(prefix):
            def of(name):
                outputs, inputs = model[f"{prefix}.{name}.weight"].shape
                if adapter is None:
                    a, b = torch.randn(r, inputs) / inputs**0.5, torch.zeros(outputs, r)
                else:
                    a, b = (adapter[f"base_model.model.{prefix}.{name}.lora_{part}.weight"] for part in "AB")
                return a.to(device, torch.float32), b.to(device, torch.float32), scale

            return of

        def layer(i):
            prefix = f"model.layers.{i}"
            own = {name[len(prefix) + 1 :]: tensor for name, tensor in model.items() if name.startswith(f"{prefix}.")}
            return Layer(self.config, own, lora(prefix), attention)

        self.register_buffer("embedding", model["model.embed_tokens.weight"])
        self.register_buffer("norm", model["model.norm.weight"])
        self.layers = nn.ModuleList(layer(i) for i in range(self.config["num_hidden_layers"]))

    def forward(self, batch, adapted):
        """log π(y|x) of each event: f32, [events]."""
        rotation = self.rotation(batch["positions"])
        x = F.embedding(batch["tokens"], self.embedding)
        for layer in self.layers:
            x = layer(x, rotation, batch["ends"], batch["longest"], adapted)
        x = F.rms_norm(x[batch["sources"]], (x.shape[-1],), self.norm, self.config["rms_norm_eps"])
        logits = F.linear(x, self.embedding).float()
        each = -F.cross_entropy(logits, batch["targets"], reduction="none")
        return torch.zeros(batch["events"], device=each.device).index_add(0, batch["owners"], each)

    def rotation(self, positions):
        head = self.layers[0].head
        steps = torch.arange(0, head, 2, device=positions.device, dtype=torch.float32)
        angles = positions.float()[:, None] * self.config["rope_theta"] ** (-steps / head)
        angles = torch.cat([angles, angles], dim=-1)[:, None, :]
        return angles.cos().to(self.dtype), angles.sin().to(self.dtype)
