"""Make the reference dumps that tests hold Confab's model and optimizer to.

    python3 -m venv venv && venv/bin/pip install torch numpy safetensors
    venv/bin/python tests/reference/make.py [name ...]

Writes the named dumps of DUMPS beside this file, or all. The model is nanoGPT's GPT (Karpathy,
https://github.com/karpathy/nanoGPT) in plain tensor operations, with Llama's parts where a dump has them
(Touvron et al., https://github.com/meta-llama/llama; rotations in the order of Hugging Face's port), and
those of the papers named in Shape; gradients are autograd's and the updates are torch.optim.AdamW's, so
nothing here shares code or a formula with the crate.

Every matrix is `[in, out]` and applied as `x @ W`. Head h is columns h*d_head..(h+1)*d_head of W_Q, W_K and
W_V, and the same rows of W_O. A dump's metadata tell which PyTorch made it (1.13 or 2.15) and from what
seed. It holds
    <name>              a weight
    grad.<name>         the gradient of `loss` by it, before clipping
    tokens, targets     [batch, seq], i32
    weights             [batch, seq], f32: how much each target counts
    logits              [batch, seq, vocab]
    loss                [1]: sum(weight * cross-entropy) / sum(weight)
    patterns            [layer, batch, head, query, key]: what each value is multiplied by; of conv, the mean over
                        a head's numbers
    adamw.<k>.<name>    the weight after k = 1, 2, 3 steps of AdamW on this one batch, in the dumps of TRAINED

Under a softmax, and where keys are neither turned nor normed, a key bias adds the same to every score of a
row, so the loss does not depend on b_K: its gradient here is rounding (1e-8), which AdamW still turns into
steps. Compare that `grad.*.b_K` absolutely, and `adamw.*.b_K` not at all.
"""

import math
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

VOCAB, CONTEXT, D_MODEL, N_HEADS, N_LAYERS = 11, 8, 8, 2, 2
BATCH, SEQ = 3, 7
# So large a learning rate, over so few steps, lets a wrong bias correction or decay show.
ADAMW = dict(lr=1e-2, betas=(0.9, 0.95), eps=1e-8)
WEIGHT_DECAY = 0.1  # on matrices only, embeddings among them
CLIP_NORM = 1.0


GATED = {"swiglu": F.silu, "geglu": F.gelu, "reglu": F.relu}


@dataclass
class Shape:
    tied: bool = True
    bias: bool = False
    parallel: bool = False  # the MLP reads what the mixer reads (Black et al. 2022)
    norm: str = "layer"  # or rms, scale (ScaleNorm, Nguyen & Salazar 2019), none
    eps: float = 1e-5
    mlp: str = "gelu"  # or gelu-tanh, relu, relu2, sigmoid, swiglu, geglu, reglu (Shazeer 2020), none
    d_mlp: int = 4 * D_MODEL
    positions: str = "learned"  # or rotary, xpos (Sun et al. 2022), none
    rope_base: float = 10000.0
    xpos_base: float = 512.0
    kv_heads: int = N_HEADS
    d_head: int = D_MODEL // N_HEADS
    qk_norm: bool = False
    window: int = 3  # of the mixer window: tokens that each sees, its own among them
    # Or window, linear (Katharopoulos et al. 2020), delta (Yang et al. 2024), intention (Garnelo & Czarnecki 2023), mesa
    # (von Oswald et al. 2023), conv (Arora et al. 2023: BaseConv).
    mixer: str = "softmax"
    feature_map: str = "elu"  # or identity, of the linear mixer
    ridge: float = None  # of intention; None if it is trained, as mesa's is
    conv_width: int = 3


DUMPS = {
    "tied": Shape(),
    "untied_bias": Shape(tied=False, bias=True),
    "llama": Shape(tied=False, norm="rms", eps=1e-3, mlp="swiglu", d_mlp=12, positions="rotary", rope_base=50.0,
                   kv_heads=1, d_head=6, qk_norm=True),
    "swiglu_bias": Shape(bias=True, norm="rms", mlp="swiglu", d_mlp=5, positions="rotary", d_head=2, kv_heads=1),
    "gpt2": Shape(bias=True, eps=0.1, mlp="gelu-tanh", d_head=3, qk_norm=True),
    "relu": Shape(mlp="relu", d_mlp=16, positions="rotary"),
    "relu2": Shape(norm="none", mlp="relu2", positions="none", kv_heads=1),
    "attention_only": Shape(tied=False, bias=True, norm="none", mlp="none", positions="none", d_head=2),
    "linear_elu": Shape(bias=True, mixer="linear", feature_map="elu"),
    "linear_identity": Shape(bias=True, mixer="linear", feature_map="identity", positions="rotary"),
    "geglu": Shape(bias=True, mlp="geglu", d_mlp=12),
    # An eps so large that some of the vectors that meet it are shorter.
    "scale_norm": Shape(tied=False, bias=True, norm="scale", eps=1.0),
    "reglu": Shape(bias=True, mlp="reglu", d_mlp=12),
    "sigmoid": Shape(tied=False, bias=True, mlp="sigmoid", d_mlp=12),
    "delta": Shape(bias=True, mixer="delta", positions="rotary", d_head=6),
    "intention": Shape(mixer="intention", ridge=0.1, kv_heads=1, d_head=5, qk_norm=True),
    "intention_trained": Shape(bias=True, mixer="intention", positions="rotary", d_head=6),
    "mesa": Shape(mixer="mesa", positions="rotary"),
    "window": Shape(mixer="window", positions="rotary", kv_heads=1),
    "parallel": Shape(tied=False, bias=True, parallel=True),
    "xpos": Shape(bias=True, positions="xpos", xpos_base=8.0, d_head=6, kv_heads=1),
    "conv": Shape(bias=True, mixer="conv", conv_width=4, d_head=3),
}
TRAINED = ["tied", "untied_bias", "linear_elu", "linear_identity", "geglu", "scale_norm"]


def init_weights(shape):
    """Random weights by name; larger than a real initialisation, so that every term matters."""
    weights = {}

    def matrix(name, *shape):
        weights[name] = 0.3 * torch.randn(*shape)

    def vector(name, size):
        if shape.bias:
            weights[name] = 0.3 * torch.randn(size)

    def norm(name):
        if shape.norm == "scale":
            weights[f"{name}.g"] = math.sqrt(D_MODEL) * (1 + 0.1 * torch.randn(1))
        elif shape.norm != "none":
            weights[f"{name}.w"] = 1 + 0.1 * torch.randn(D_MODEL)
        if shape.norm == "layer":
            vector(f"{name}.b", D_MODEL)

    def linear(name, of, rows, columns):
        matrix(f"{name}.W_{of}", rows, columns)
        vector(f"{name}.b_{of}", columns)

    matrix("embed.W_E", VOCAB, D_MODEL)
    if shape.positions == "learned":
        matrix("pos_embed.W_pos", CONTEXT, D_MODEL)
    read, kept = N_HEADS * shape.d_head, shape.kv_heads * shape.d_head
    for layer in range(N_LAYERS):
        block = f"blocks.{layer}"
        norm(f"{block}.ln1")
        for x, width in [("Q", read), ("K", kept), ("V", kept)]:
            if shape.mixer != "conv" or x != "K":
                linear(f"{block}.attn", x, D_MODEL, width)
        if shape.mixer == "delta":
            linear(f"{block}.attn", "beta", D_MODEL, N_HEADS)
        if shape.mixer == "mesa":
            matrix(f"{block}.attn.W_gamma", D_MODEL, N_HEADS)
            weights[f"{block}.attn.b_gamma"] = 1 + 0.3 * torch.randn(N_HEADS)
        if shape.mixer == "mesa" or (shape.mixer == "intention" and shape.ridge is None):
            weights[f"{block}.attn.log_ridge"] = 0.5 * torch.randn(N_HEADS) - 1
        if shape.mixer == "conv":
            matrix(f"{block}.attn.conv.w", shape.conv_width, read)
            vector(f"{block}.attn.conv.b", read)
        linear(f"{block}.attn", "O", read, D_MODEL)
        if shape.qk_norm:
            for x in "qk":
                weights[f"{block}.attn.{x}_norm.w"] = 1 + 0.1 * torch.randn(shape.d_head)
        if shape.mlp != "none":
            norm(f"{block}.ln2")
            if shape.mlp in GATED:
                linear(f"{block}.mlp", "gate", D_MODEL, shape.d_mlp)
            linear(f"{block}.mlp", "in", D_MODEL, shape.d_mlp)
            linear(f"{block}.mlp", "out", shape.d_mlp, D_MODEL)
    norm("ln_final")
    if not shape.tied:
        matrix("unembed.W_U", D_MODEL, VOCAB)
    return {name: weight.requires_grad_() for name, weight in weights.items()}


def forward(shape, weights, tokens):
    """Logits [batch, seq, vocab] and attention patterns [layer, batch, head, query, key]."""
    batch, seq = tokens.shape

    def rms(x, name):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + shape.eps) * weights[f"{name}.w"]

    def norm(x, name):
        if shape.norm == "layer":
            return F.layer_norm(x, (D_MODEL,), weights[f"{name}.w"], weights.get(f"{name}.b"), shape.eps)
        if shape.norm == "scale":
            return F.normalize(x, dim=-1, eps=shape.eps) * weights[f"{name}.g"]  # x / max(|x|, eps) * g
        return rms(x, name) if shape.norm == "rms" else x

    def linear(x, matrix, bias):
        y = x @ weights[matrix]
        return y + weights[bias] if bias in weights else y

    def split_heads(x):
        return x.view(batch, seq, -1, shape.d_head).transpose(1, 2)  # [batch, head, seq, d_head]

    def turn(x, name):
        if shape.qk_norm:
            x = rms(x, name)
        if shape.positions not in ("rotary", "xpos"):
            return x
        frequencies = shape.rope_base ** (-torch.arange(0, shape.d_head, 2) / shape.d_head)
        angles = torch.outer(torch.arange(seq), frequencies).repeat(1, 2)  # [seq, d_head]
        a, b = x.chunk(2, dim=-1)
        turned = x * angles.cos() + torch.cat([-b, a], dim=-1) * angles.sin()
        if shape.positions == "rotary":
            return turned
        # As torchscale's XPOS: shares of pairs to the power of the place, or of its negative for keys.
        shares = (torch.arange(0, shape.d_head, 2) + 0.4 * shape.d_head) / (1.4 * shape.d_head)
        powers = torch.arange(seq)[:, None] / shape.xpos_base
        scale = (shares**powers).repeat(1, 2)  # [seq, d_head]
        return turned * scale if name.endswith("q_norm") else turned / scale

    def hidden(x, mlp):
        y = linear(x, f"{mlp}.W_in", f"{mlp}.b_in")
        if shape.mlp in GATED:
            gate = linear(x, f"{mlp}.W_gate", f"{mlp}.b_gate")
            return GATED[shape.mlp](gate) * y
        if shape.mlp == "sigmoid":
            return torch.sigmoid(y)
        if shape.mlp.startswith("gelu"):
            return F.gelu(y, approximate="tanh" if shape.mlp == "gelu-tanh" else "none")
        return F.relu(y) if shape.mlp == "relu" else F.relu(y) ** 2

    everything = torch.ones(seq, seq, dtype=torch.bool)
    future = everything.triu(1)
    unseen = future | everything.tril(-shape.window) if shape.mixer == "window" else future

    def pattern_of(q, k):
        if shape.mixer == "linear" and shape.feature_map == "elu":
            products = (F.elu(q) + 1) @ (F.elu(k) + 1).transpose(-2, -1)
            products = products.masked_fill(future, 0.0)
            return products / products.sum(-1, keepdim=True)
        scores = q @ k.transpose(-2, -1) / math.sqrt(shape.d_head)
        if shape.mixer == "linear":
            return scores.masked_fill(future, 0.0)
        return scores.masked_fill(unseen, -math.inf).softmax(-1)

    def delta_pattern_of(q, k, beta):
        """Weights of values by the delta rule, token by token: the state is linear in them."""
        q, k = (F.silu(x) for x in (q, k))
        q, k = (x * torch.rsqrt(x.pow(2).sum(-1, keepdim=True) + 1e-6) for x in (q, k))
        rows, held = [], torch.zeros(batch, N_HEADS, shape.d_head, seq)  # keys by the weights of values
        for t in range(seq):
            value = torch.zeros(seq)
            value[t] = 1.0
            told = torch.einsum("bhd,bhdn->bhn", k[:, :, t], held)
            correction = beta[:, t, :, None] * (value - told)
            held = held + torch.einsum("bhd,bhn->bhdn", k[:, :, t], correction)
            rows.append(torch.einsum("bhd,bhdn->bhn", q[:, :, t], held))
        return torch.stack(rows, 2)

    def least_squares_pattern_of(q, k, gamma, ridge):
        """Weights of values by ridge regression from keys, solved anew for every token; errors of token s count the
        product of gamma after it, and the ridge that of all."""
        rows = []
        for t in range(seq):
            kept = torch.stack([gamma[:, :, s + 1:t + 1].prod(-1) for s in range(t + 1)], -1)  # [batch, head, s]
            weighted = kept[..., None] * k[:, :, :t + 1]
            moments = weighted.transpose(-2, -1) @ k[:, :, :t + 1]
            moments = moments + (ridge * gamma[:, :, :t + 1].prod(-1))[..., None, None] * torch.eye(shape.d_head)
            row = (weighted @ torch.linalg.solve(moments, q[:, :, t])[..., None]).squeeze(-1)
            rows.append(F.pad(row, (0, seq - 1 - t)))
        return torch.stack(rows, 2)
    def convolve(gates, v, conv):
        """Outputs [batch, seq, width] by torch's depthwise convolution, and mean weights of values in them."""
        kernels, bias = weights[f"{conv}.w"], weights.get(f"{conv}.b")
        taps, width = kernels.shape
        filters = kernels.T.flip(-1).unsqueeze(1)  # [width, 1, taps]: torch's last tap is the token's own
        padded = F.pad(v.transpose(1, 2), (taps - 1, 0))
        z = gates * F.conv1d(padded, filters, bias, groups=width).transpose(1, 2)
        back = torch.arange(seq)[:, None] - torch.arange(seq)  # [query, key]
        seen = kernels[back.clamp(0, taps - 1)] * ((back >= 0) & (back < taps))[..., None]  # [query, key, width]
        numbers = gates[:, :, None] * seen  # [batch, query, key, width]
        means = numbers.unflatten(-1, (N_HEADS, shape.d_head)).mean(-1)
        return z, means.permute(0, 3, 1, 2)

    patterns = []
    x = weights["embed.W_E"][tokens]
    if shape.positions == "learned":
        x = x + weights["pos_embed.W_pos"][:seq]
    for layer in range(N_LAYERS):
        attn, mlp = f"blocks.{layer}.attn", f"blocks.{layer}.mlp"
        h = norm(x, f"blocks.{layer}.ln1")
        if shape.mixer == "conv":
            gates, v = (linear(h, f"{attn}.W_{n}", f"{attn}.b_{n}") for n in "QV")
            z, pattern = convolve(gates, v, f"{attn}.conv")
        else:
            q, k, v = (split_heads(linear(h, f"{attn}.W_{n}", f"{attn}.b_{n}")) for n in "QKV")
            q, k = turn(q, f"{attn}.q_norm"), turn(k, f"{attn}.k_norm")
            k, v = (t.repeat_interleave(N_HEADS // shape.kv_heads, dim=1) for t in (k, v))
            if shape.mixer == "delta":
                beta = torch.sigmoid(linear(h, f"{attn}.W_beta", f"{attn}.b_beta"))
                pattern = delta_pattern_of(q, k, beta)
            elif shape.mixer in ["intention", "mesa"]:
                gamma, ridge = torch.ones(batch, N_HEADS, seq), torch.tensor(shape.ridge or 0.0)
                if shape.mixer == "mesa":
                    gamma = torch.sigmoid(linear(h, f"{attn}.W_gamma", f"{attn}.b_gamma")).transpose(1, 2)
                if shape.ridge is None:
                    ridge = weights[f"{attn}.log_ridge"].exp()
                pattern = least_squares_pattern_of(q, k, gamma, ridge)
            else:
                pattern = pattern_of(q, k)
            z = (pattern @ v).transpose(1, 2).reshape(batch, seq, -1)
        found = x
        x = x + linear(z, f"{attn}.W_O", f"{attn}.b_O")
        if shape.mlp != "none":
            h = hidden(norm(found if shape.parallel else x, f"blocks.{layer}.ln2"), mlp)
            x = x + linear(h, f"{mlp}.W_out", f"{mlp}.b_out")
        patterns.append(pattern)
    x = norm(x, "ln_final")
    head = weights["unembed.W_U"] if "unembed.W_U" in weights else weights["embed.W_E"].T
    return x @ head, torch.stack(patterns)


def loss_of(logits, targets, target_weights):
    losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    return (target_weights.flatten() * losses).sum() / target_weights.sum()


def train(shape, weights, batch, steps):
    """Yields the weights after each step."""
    tokens, targets, target_weights = batch
    groups = [
        {"params": [w for w in weights.values() if w.dim() >= 2], "weight_decay": WEIGHT_DECAY},
        {"params": [w for w in weights.values() if w.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, **ADAMW)
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(forward(shape, weights, tokens)[0], targets, target_weights).backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), CLIP_NORM)
        optimizer.step()
        yield {name: weight.detach().clone() for name, weight in weights.items()}


def dump(path, shape, seed, trains):
    torch.manual_seed(seed)
    weights = init_weights(shape)
    tokens = torch.randint(VOCAB, (BATCH, SEQ))
    targets = torch.randint(VOCAB, (BATCH, SEQ))
    target_weights = torch.tensor([0.0, 0.5, 1.0])[torch.randint(3, (BATCH, SEQ))]
    target_weights[0] = 1.0

    logits, patterns = forward(shape, weights, tokens)
    loss = loss_of(logits, targets, target_weights)
    grads = torch.autograd.grad(loss, list(weights.values()))
    norm = torch.stack([grad.norm() for grad in grads]).norm()
    assert norm > CLIP_NORM or not trains, f"a gradient norm of {norm:.2f} would leave the clipping untested"

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
    steps = 3 if trains else 0
    for k, after in enumerate(train(shape, weights, (tokens, targets, target_weights), steps), 1):
        tensors |= {f"adamw.{k}.{name}": weight for name, weight in after.items()}
    tensors = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    save_file(tensors, path, metadata={"made_with": f"torch {torch.__version__}, seed {seed}"})
    print(f"{path.name}: {len(tensors)} tensors, loss {loss.item():.6f}, gradient norm {norm:.3f}")


if __name__ == "__main__":
    here = Path(__file__).parent
    chosen = sys.argv[1:] or list(DUMPS)
    if not DUMPS.keys() >= set(chosen):
        sys.exit(f"The dumps are {', '.join(DUMPS)}.")
    for number, (name, shape) in enumerate(DUMPS.items()):
        if name in chosen:
            dump(here / f"{name}.safetensors", shape, seed=number + 1, trains=name in TRAINED)
