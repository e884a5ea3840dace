"""Times training steps of a GPT as nanoGPT's, in PyTorch; `confab bench` runs it beside its own.

Reads a JSON list of {layers, heads, width, vocab, batch, seq, rounds} from its first argument, and writes a
line of JSON for each, on the CPU and on the GPU if there is one: {"device", "step", "compiled"}. `step` is the
time in seconds with or without `torch.compile`, whichever is less.
"""

import json
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.ln2 = nn.LayerNorm(width)
        self.mlp_in = nn.Linear(width, 4 * width, bias=False)
        self.mlp_out = nn.Linear(4 * width, width, bias=False)

    def forward(self, x, mask):
        batch, seq, width = x.shape
        q, k, v = (
            part.view(batch, seq, self.heads, width // self.heads).transpose(1, 2)
            for part in self.qkv(self.ln1(x)).split(width, dim=2)
        )
        if hasattr(F, "scaled_dot_product_attention"):
            z = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = q @ k.transpose(2, 3) * (width // self.heads) ** -0.5
            z = scores.masked_fill(mask[:seq, :seq], float("-inf")).softmax(3) @ v
        x = x + self.out(z.transpose(1, 2).reshape(batch, seq, width))
        return x + self.mlp_out(F.gelu(self.mlp_in(self.ln2(x))))


class Gpt(nn.Module):
    def __init__(self, layers, heads, width, vocab, seq):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.positions = nn.Embedding(seq, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.ln = nn.LayerNorm(width)
        self.register_buffer("mask", torch.ones(seq, seq, dtype=torch.bool).triu(1))

    def forward(self, tokens):
        x = self.embed(tokens) + self.positions(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.blocks:
            x = block(x, self.mask)
        return self.ln(x) @ self.embed.weight.T


def measure(shape, device, compiled, warm_up=3):
    torch.manual_seed(1)
    model = Gpt(shape["layers"], shape["heads"], shape["width"], shape["vocab"], shape["seq"])
    model.to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95))
    tokens = torch.randint(shape["vocab"], (shape["batch"], shape["seq"] + 1), device=device)
    # As nanoGPT trains: on a GPU its products are in bfloat16.
    is_gpu = device == "cuda"
    run = torch.compile(model) if compiled else model
    times = []
    for _ in range(warm_up + shape["rounds"]):
        start = time.perf_counter()
        with torch.autocast(device, dtype=torch.bfloat16, enabled=is_gpu):
            logits = run(tokens[:, :-1])
            loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()
        times.append(time.perf_counter() - start)
    return statistics.median(times[warm_up:])


def fastest(shape, device):
    times = [(measure(shape, device, False), False)]
    if hasattr(torch, "compile"):
        try:
            times.append((measure(shape, device, True), True))
        except Exception as error:  # such as a missing C++ compiler
            print(f"torch.compile failed: {error}".splitlines()[0], file=sys.stderr)
    return min(times)


for shape in json.loads(sys.argv[1]):
    for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
        step, compiled = fastest(shape, device)
        print(json.dumps({"device": device, "step": step, "compiled": compiled}), flush=True)
