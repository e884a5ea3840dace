"""Make the small models that `tests/import.rs` reads, and the logits that they give.

    python3 -m venv venv && venv/bin/pip install torch==2.6.0 transformers==4.51.3 safetensors numpy
    venv/bin/python tests/reference/make_imports.py

Writes `import/<name>/`, with a model's files as the program writes them that has such models, and
`expected.safetensors`:
    ids                 [seq], i32: a prompt
    logits              [seq, vocab], f32

Those of Hugging Face are made and run by its own code (transformers). nanoGPT's is written anew below, after
the names and shapes that its checkpoints have (Karpathy, https://github.com/karpathy/nanoGPT). All weights are
random, and so large that every term matters.
"""

import math
import pickle
import shutil
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

SEQ = 12
GPT2 = dict(vocab_size=50, n_embd=16, n_layer=2, n_head=2, n_positions=16)
LLAMA = dict(vocab_size=40, hidden_size=16, intermediate_size=20, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=32)
TEXT = "the cat sat on the mat; the café où the naïve cat sat was on the map. " * 8


def randomize(model):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            is_gain = parameter.dim() == 1 and name.endswith("weight")
            parameter.normal_(1.0 if is_gain else 0.0, 0.1 if is_gain else 0.3)
    return model.eval()


def expect(folder, model, vocab_size):
    ids = torch.randint(vocab_size, (1, SEQ))
    with torch.no_grad():
        logits = model(ids)[0]
    save_file({"ids": ids[0].int(), "logits": logits[0].float().contiguous()}, folder / "expected.safetensors")


def hugging_face(folder, kind, config, dtype=torch.float32, shard="5GB"):
    """The logits are those of the weights as they are kept, in 32 bits."""
    randomize(kind(config)).to(dtype).save_pretrained(folder, max_shard_size=shard)
    (folder / "generation_config.json").unlink()
    model = kind.from_pretrained(folder, torch_dtype=torch.float32, attn_implementation="eager")
    expect(folder, model.eval(), config.vocab_size)


def byte_level(folder, vocab_size):
    """A tokenizer with tokens that are parts of a letter."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=["<|endoftext|>"], show_progress=False)
    tokenizer.train_from_iterator([TEXT], trainer)
    tokenizer.save(str(folder / "tokenizer.json"))


class Block(nn.Module):
    def __init__(self, n_embd, n_head, bias):
        super().__init__()
        self.n_head = n_head
        self.ln_1 = nn.LayerNorm(n_embd) if bias else Gain(n_embd)
        self.ln_2 = nn.LayerNorm(n_embd) if bias else Gain(n_embd)
        self.attn = nn.ModuleDict(dict(c_attn=nn.Linear(n_embd, 3 * n_embd, bias=bias),
                                       c_proj=nn.Linear(n_embd, n_embd, bias=bias)))
        self.mlp = nn.ModuleDict(dict(c_fc=nn.Linear(n_embd, 4 * n_embd, bias=bias),
                                      c_proj=nn.Linear(4 * n_embd, n_embd, bias=bias)))

    def forward(self, x):
        _, seq, width = x.shape
        heads = self.attn["c_attn"](self.ln_1(x)).view(1, seq, 3, self.n_head, width // self.n_head)
        q, k, v = heads.permute(2, 0, 3, 1, 4)  # [batch, head, seq, d_head]
        scores = q @ k.transpose(-2, -1) / math.sqrt(width // self.n_head)
        future = torch.ones(seq, seq, dtype=torch.bool).triu(1)
        z = scores.masked_fill(future, -math.inf).softmax(-1) @ v
        x = x + self.attn["c_proj"](z.transpose(1, 2).reshape(1, seq, width))
        return x + self.mlp["c_proj"](F.gelu(self.mlp["c_fc"](self.ln_2(x))))


class Gain(nn.Module):
    """A LayerNorm without a bias."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return F.layer_norm(x, self.weight.shape, self.weight, None, 1e-5)


class NanoGpt(nn.Module):
    def __init__(self, n_layer, n_head, n_embd, block_size, bias, vocab_size, dropout):
        super().__init__()
        self.transformer = nn.ModuleDict(dict(
            wte=nn.Embedding(vocab_size, n_embd),
            wpe=nn.Embedding(block_size, n_embd),
            h=nn.ModuleList([Block(n_embd, n_head, bias) for _ in range(n_layer)]),
            ln_f=nn.LayerNorm(n_embd) if bias else Gain(n_embd),
        ))
        self.lm_head = nn.Linear(n_embd, vocab_size, bias=False)
        self.transformer["wte"].weight = self.lm_head.weight

    def forward(self, ids):
        x = self.transformer["wte"](ids) + self.transformer["wpe"](torch.arange(ids.shape[1]))
        for block in self.transformer["h"]:
            x = block(x)
        return (self.lm_head(self.transformer["ln_f"](x)),)


def nanogpt(folder, bias, prefix=""):
    """After a step, so that the optimizer has moments; with the characters of a data set, not sorted."""
    characters = "zyx\n é€cba"
    arguments = dict(n_layer=2, n_head=2, n_embd=8, block_size=16, bias=bias, vocab_size=len(characters), dropout=0.2)
    model = randomize(NanoGpt(**arguments))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95))
    loss = model(torch.randint(len(characters), (1, SEQ)))[0].mean()
    loss.backward()
    optimizer.step()
    checkpoint = dict(
        model={prefix + name: tensor for name, tensor in model.state_dict().items()} if prefix else model.state_dict(),
        optimizer=optimizer.state_dict(),
        model_args=arguments,
        iter_num=1,
        best_val_loss=loss.detach(),
        config=dict(out_dir="out", learning_rate=1e-3, max_iters=5000, compile=bool(prefix), wandb_log=False),
    )
    torch.save(checkpoint, folder / "ckpt.pt")
    meta = dict(vocab_size=len(characters), itos=dict(enumerate(characters)),
                stoi={c: i for i, c in enumerate(characters)})
    with open(folder / "meta.pkl", "wb") as file:
        pickle.dump(meta, file)
    expect(folder, model, len(characters))


def main():
    torch.manual_seed(1)
    here = Path(__file__).parent / "import"
    shutil.rmtree(here, ignore_errors=True)

    def folder(name):
        (here / name).mkdir(parents=True)
        return here / name

    # More rows than tokens, as where an embedding is padded.
    tokens = folder("gpt2")
    hugging_face(tokens, GPT2LMHeadModel, GPT2Config(**GPT2 | dict(vocab_size=62)))
    byte_level(tokens, 60)
    hugging_face(folder("gpt2_untied"), GPT2LMHeadModel,
                 GPT2Config(**GPT2, tie_word_embeddings=False, activation_function="relu", n_inner=24,
                            layer_norm_epsilon=1e-3), torch.float16)
    hugging_face(folder("llama"), LlamaForCausalLM,
                 LlamaConfig(**LLAMA, rope_theta=100.0, rms_norm_eps=1e-3, tie_word_embeddings=False), shard="10KB")
    hugging_face(folder("llama_bf16"), LlamaForCausalLM,
                 LlamaConfig(**LLAMA, head_dim=6, attention_bias=True, mlp_bias=True, tie_word_embeddings=True),
                 torch.bfloat16)
    hugging_face(folder("mistral"), MistralForCausalLM, MistralConfig(**LLAMA, sliding_window=None))
    hugging_face(folder("qwen3"), Qwen3ForCausalLM, Qwen3Config(**LLAMA, head_dim=8))
    nanogpt(folder("nanogpt"), bias=False)
    nanogpt(folder("nanogpt_bias"), bias=True, prefix="_orig_mod.")


if __name__ == "__main__":
    main()
