"""Writes a random Llama as large as is asked for, to measure how much memory it takes to import and to look into:

    python tests/reference/make_large.py FOLDER --width 4096 --vocab 32000 --layers 2 --dtype bfloat16

It has a `config.json`, a `model.safetensors` and a `tokenizer.json` of single characters and of words `w0`, `w1`, ….
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

parser = argparse.ArgumentParser()
parser.add_argument("folder", type=Path)
parser.add_argument("--width", type=int, default=4096)
parser.add_argument("--mlp", type=int, default=11008)
parser.add_argument("--heads", type=int, default=32)
parser.add_argument("--vocab", type=int, default=32000)
parser.add_argument("--layers", type=int, default=2)
parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float16", "float32"])
given = parser.parse_args()
given.folder.mkdir(parents=True, exist_ok=True)
dtype = getattr(torch, given.dtype)
torch.manual_seed(1)


def matrix(rows: int, columns: int) -> torch.Tensor:
    return (0.02 * torch.randn(rows, columns)).to(dtype)


width, mlp = given.width, given.mlp
tensors = {
    "model.embed_tokens.weight": matrix(given.vocab, width),
    "model.norm.weight": torch.ones(width, dtype=dtype),
    "lm_head.weight": matrix(given.vocab, width),
}
for layer in range(given.layers):
    at = f"model.layers.{layer}"
    for name in "qkvo":
        tensors[f"{at}.self_attn.{name}_proj.weight"] = matrix(width, width)
    tensors[f"{at}.mlp.gate_proj.weight"] = matrix(mlp, width)
    tensors[f"{at}.mlp.up_proj.weight"] = matrix(mlp, width)
    tensors[f"{at}.mlp.down_proj.weight"] = matrix(width, mlp)
    for norm in ["input_layernorm", "post_attention_layernorm"]:
        tensors[f"{at}.{norm}.weight"] = torch.ones(width, dtype=dtype)
save_file(tensors, given.folder / "model.safetensors", metadata={"format": "pt"})

config = {
    "model_type": "llama",
    "hidden_act": "silu",
    "hidden_size": width,
    "intermediate_size": mlp,
    "num_hidden_layers": given.layers,
    "num_attention_heads": given.heads,
    "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-5,
    "vocab_size": given.vocab,
    "tie_word_embeddings": False,
}
(given.folder / "config.json").write_text(json.dumps(config))
characters = [chr(code) for code in range(32, 127)]
words = [f"w{number}" for number in range(given.vocab - len(characters))]
names = characters + words
tokenizer = {
    "version": "1.0",
    "added_tokens": [],
    "pre_tokenizer": {"type": "WhitespaceSplit"},
    "model": {
        "type": "WordLevel",
        "vocab": {name: at for at, name in enumerate(names)},
        "unk_token": "?",
    },
}
(given.folder / "tokenizer.json").write_text(json.dumps(tokenizer))
