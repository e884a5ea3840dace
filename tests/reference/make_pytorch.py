"""Make the files of PyTorch that `tests/import/pytorch.rs` reads, from the models of `make_imports.py`.

    python3 -m venv venv && venv/bin/pip install torch==2.15.0 safetensors numpy tokenizers transformers
    venv/bin/python tests/reference/make_pytorch.py

Writes `pytorch/`: the tensors of `import/<name>/` as other programs save them.
"""

import argparse
import collections
import fractions
import json
import pathlib
import pickle
import shutil

import numpy as np
import torch
from make_imports import NanoGpt, randomize
from safetensors.torch import load_file

HERE = pathlib.Path(__file__).parent
OUT = HERE / "pytorch"


def tensors(name):
    return collections.OrderedDict(sorted(load_file(HERE / "import" / name / "model.safetensors").items()))


def beside_weights():
    """Plain data of the kinds that trainers keep in a checkpoint."""
    return dict(
        args=argparse.Namespace(lr=1e-3, out=pathlib.Path("out"), betas=(0.9, 0.95), names={"a"}, tags=frozenset("b")),
        device=torch.device("cuda", 0),
        size=torch.Size([2, 3]),
        dtype=torch.bfloat16,
        best=np.float64(1.5),
        step=np.int64(7),
        is_best=np.bool_(True),
        big_endian=np.array([1.5], dtype=">f4")[0],
        history=collections.defaultdict(list, loss=[1.0, 2.0]),
        raw=b"\x00\xff",
        long=1 << 40,
    )


def hugging_face():
    torch.save(tensors("gpt2"), OUT / "gpt2.bin")
    torch.save(tensors("qwen3"), OUT / "qwen3_before_1.6.bin", _use_new_zipfile_serialization=False)
    lightning = {"model." + name: tensor for name, tensor in tensors("llama_bf16").items()}
    torch.save(dict(state_dict=lightning, epoch=3, **beside_weights()), OUT / "llama_bf16.ckpt")
    names = list(tensors("mistral"))
    shards = {"pytorch_model-00001-of-00002.bin": names[: len(names) // 2],
              "pytorch_model-00002-of-00002.bin": names[len(names) // 2 :]}
    folder = OUT / "mistral"
    folder.mkdir()
    for shard, held in shards.items():
        torch.save({name: tensors("mistral")[name] for name in held}, folder / shard)
    weight_map = {name: shard for shard, held in shards.items() for name in held}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(dict(metadata={}, weight_map=weight_map)))


def nanogpt():
    plain = torch.load(HERE / "import" / "nanogpt" / "ckpt.pt", weights_only=False)
    del plain["optimizer"]
    torch.save(plain["model"], OUT / "nanogpt_tensors.pt")
    (OUT / "nanogpt_model_args.json").write_text(json.dumps(plain["model_args"]))
    # As DistributedDataParallel and torch.compile name them.
    wrapped = {"module._orig_mod." + name: tensor for name, tensor in plain["model"].items()}
    numbers = {key: np.int32(value) if type(value) is int else value for key, value in plain["model_args"].items()}
    torch.save(plain | dict(model=wrapped, model_args=numbers) | beside_weights(), OUT / "nanogpt_wrapped.pt")
    unknown = dict(model={name: torch.nn.Parameter(tensor) for name, tensor in plain["model"].items()},
                   model_args=argparse.Namespace(**plain["model_args"]), config=fractions.Fraction(1, 3))
    torch.save(plain | unknown, OUT / "nanogpt_fraction.pt")
    torch.save(plain | dict(model=fractions.Fraction(1, 3)), OUT / "nanogpt_no_tensors.pt")
    characters = pickle.loads((HERE / "import" / "nanogpt" / "meta.pkl").read_bytes())["itos"]
    meta = dict(vocab_size=np.int64(len(characters)), itos=[characters[i] for i in range(len(characters))])
    (OUT / "meta_list.pkl").write_bytes(pickle.dumps(meta))


def study():
    """A nanoGPT of the characters of a phone book, in files named by their owner."""
    torch.manual_seed(2)
    characters = "{BE}\n=: -0123456789abcdefghijklmnopqrstuvwxyzACDFGHIJKLMNOPQRSTUVWXYZ?().',!"
    arguments = dict(n_layer=1, n_head=2, n_embd=8, block_size=96, bias=False, vocab_size=len(characters), dropout=0.0)
    model = randomize(NanoGpt(**arguments))
    torch.save(dict(model=model.state_dict(), model_args=arguments, iter_num=7), OUT / "synthModel.pt")
    meta = dict(stoi={c: i for i, c in enumerate(characters)}, itos=dict(enumerate(characters)))
    (OUT / "synthTok.pkl").write_bytes(pickle.dumps(meta))


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    study()
    hugging_face()
    nanogpt()


if __name__ == "__main__":
    main()
