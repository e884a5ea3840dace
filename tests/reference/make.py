"""Make the reference dumps that tests hold Confab's model and optimizer to.

    python3 -m venv venv && venv/bin/pip install torch numpy safetensors
    venv/bin/python tests/reference/make.py

Writes tied.safetensors and untied_bias.safetensors beside this file. The model is nanoGPT's GPT
(Karpathy, https://github.com/karpathy/nanoGPT) in plain tensor operations; gradients are autograd's
and the updates are torch.optim.AdamW's, so nothing here shares code or a formula with the crate.

Every matrix is `[in, out]` and applied as `x @ W`. Head h is columns h*d_head..(h+1)*d_head of W_Q, W_K and
W_V, and the same rows of W_O. A dump holds
    <name>              a weight
    grad.<name>         the gradient of `loss` by it, before clipping
    tokens, targets     [batch, seq], i32
    weights             [batch, seq], f32: how much each target counts
    logits              [batch, seq, vocab]
    loss                [1]: sum(weight * cross-entropy) / sum(weight)
    patterns            [layer, batch, head, query, key]
    adamw.<k>.<name>    the weight after k = 1, 2, 3 steps of AdamW on this one batch

A key bias adds the same to every score of a row, so the loss does not depend on b_K: its gradient here is
rounding (1e-8), which AdamW still turns into steps. Compare `grad.*.b_K` absolutely, `adamw.*.b_K` not at all.
"""

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

VOCAB, CONTEXT, D_MODEL, N_HEADS, N_LAYERS = 11, 8, 8, 2, 2
BATCH, SEQ = 3, 7
D_HEAD = D_MODEL // N_HEADS
LN_EPS = 1e-5
# So large a learning rate, over so few steps, lets a wrong bias correction or decay show.
ADAMW = dict(lr=1e-2, betas=(0.9, 0.95), eps=1e-8)
WEIGHT_DECAY = 0.1  # on matrices only, embeddings among them
CLIP_NORM = 1.0


def init_weights(tied, bias):
    """Random weights by name; larger than a real initialisation, so that every term matters."""
    weights = {}

    def matrix(name, *shape):
        weights[name] = 0.3 * torch.randn(*shape)

    def vector(name, size):
        if bias:
            weights[name] = 0.3 * torch.randn(size)

    def norm(name):
        weights[f"{name}.w"] = 1 + 0.1 * torch.randn(D_MODEL)
        vector(f"{name}.b", D_MODEL)

    matrix("embed.W_E", VOCAB, D_MODEL)
    matrix("pos_embed.W_pos", CONTEXT, D_MODEL)
    for layer in range(N_LAYERS):
        block = f"blocks.{layer}"
        norm(f"{block}.ln1")
        for x in "QKVO":
            matrix(f"{block}.attn.W_{x}", D_MODEL, D_MODEL)
            vector(f"{block}.attn.b_{x}", D_MODEL)
        norm(f"{block}.ln2")
        matrix(f"{block}.mlp.W_in", D_MODEL, 4 * D_MODEL)
        vector(f"{block}.mlp.b_in", 4 * D_MODEL)
        matrix(f"{block}.mlp.W_out", 4 * D_MODEL, D_MODEL)
        vector(f"{block}.mlp.b_out", D_MODEL)
    norm("ln_final")
    if not tied:
        matrix("unembed.W_U", D_MODEL, VOCAB)
    return {name: weight.requires_grad_() for name, weight in weights.items()}


def forward(weights, tokens):
    """Logits [batch, seq, vocab] and attention patterns [layer, batch, head, query, key]."""
    batch, seq = tokens.shape

    def norm(x, name):
        return F.layer_norm(x, (D_MODEL,), weights[f"{name}.w"], weights.get(f"{name}.b"), LN_EPS)

    def linear(x, matrix, bias):
        y = x @ weights[matrix]
        return y + weights[bias] if bias in weights else y

    def split_heads(x):
        return x.view(batch, seq, N_HEADS, D_HEAD).transpose(1, 2)  # [batch, head, seq, d_head]

    future = torch.ones(seq, seq, dtype=torch.bool).triu(1)
    patterns = []
    x = weights["embed.W_E"][tokens] + weights["pos_embed.W_pos"][:seq]
    for layer in range(N_LAYERS):
        attn, mlp = f"blocks.{layer}.attn", f"blocks.{layer}.mlp"
        h = norm(x, f"blocks.{layer}.ln1")
        q, k, v = (split_heads(linear(h, f"{attn}.W_{n}", f"{attn}.b_{n}")) for n in "QKV")
        scores = q @ k.transpose(-2, -1) / math.sqrt(D_HEAD)
        pattern = scores.masked_fill(future, -math.inf).softmax(-1)
        z = (pattern @ v).transpose(1, 2).reshape(batch, seq, D_MODEL)
        x = x + linear(z, f"{attn}.W_O", f"{attn}.b_O")
        h = norm(x, f"blocks.{layer}.ln2")
        h = F.gelu(linear(h, f"{mlp}.W_in", f"{mlp}.b_in"))  # the exact one, by erf
        x = x + linear(h, f"{mlp}.W_out", f"{mlp}.b_out")
        patterns.append(pattern)
    x = norm(x, "ln_final")
    head = weights["unembed.W_U"] if "unembed.W_U" in weights else weights["embed.W_E"].T
    return x @ head, torch.stack(patterns)


def loss_of(logits, targets, target_weights):
    losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    return (target_weights.flatten() * losses).sum() / target_weights.sum()


def train(weights, batch, steps):
    """Yields the weights after each step."""
    tokens, targets, target_weights = batch
    groups = [
        {"params": [w for w in weights.values() if w.dim() >= 2], "weight_decay": WEIGHT_DECAY},
        {"params": [w for w in weights.values() if w.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, **ADAMW)
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(forward(weights, tokens)[0], targets, target_weights).backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), CLIP_NORM)
        optimizer.step()
        yield {name: weight.detach().clone() for name, weight in weights.items()}


def dump(path, tied, bias, seed):
    torch.manual_seed(seed)
    weights = init_weights(tied, bias)
    tokens = torch.randint(VOCAB, (BATCH, SEQ))
    targets = torch.randint(VOCAB, (BATCH, SEQ))
    target_weights = torch.tensor([0.0, 0.5, 1.0])[torch.randint(3, (BATCH, SEQ))]
    target_weights[0] = 1.0

    logits, patterns = forward(weights, tokens)
    loss = loss_of(logits, targets, target_weights)
    grads = torch.autograd.grad(loss, list(weights.values()))
    norm = torch.stack([grad.norm() for grad in grads]).norm()
    assert norm > CLIP_NORM, f"a gradient norm of {norm:.2f} would leave the clipping untested"

    tensors = {
        "tokens": tokens.int(),
        "targets": targets.int(),
        "weights": target_weights,
        "logits": logits,
        "loss": loss.view(1),
        "patterns": patterns,
    }
    tensors |= {name: weight.detach().clone() for name, weight in weights.items()}
    tensors |= {f"grad.{name}": grad for name, grad in zip(weights, grads)}
    for k, after in enumerate(train(weights, (tokens, targets, target_weights), 3), 1):
        tensors |= {f"adamw.{k}.{name}": weight for name, weight in after.items()}
    tensors = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    save_file(tensors, path, metadata={"made_with": f"torch {torch.__version__}, seed {seed}"})
    print(f"{path.name}: {len(tensors)} tensors, loss {loss.item():.6f}, gradient norm {norm:.3f}")


if __name__ == "__main__":
    here = Path(__file__).parent
    dump(here / "tied.safetensors", tied=True, bias=False, seed=1)
    dump(here / "untied_bias.safetensors", tied=False, bias=True, seed=2)
