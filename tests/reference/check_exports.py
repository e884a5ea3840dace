"""Hold what `confab export` writes against transformers and nanoGPT in PyTorch.

    python3 -m venv venv && venv/bin/pip install torch==2.15.0 transformers==5.24.0 safetensors numpy
    cargo build --release --bin confab
    venv/bin/python tests/reference/check_exports.py target/release/confab

Trains the models of MODELS for a few steps, exports each, loads the export with the other program's own code, and
checks that token ids are Confab's, and logits Confab's within 1e-5. Writes `export/<name>/`, which `tests/export.rs`
reads:
    run.safetensors         the model, without its optimizer
    hugging-face/           what `--to hugging-face` wrote
    nanogpt/                what `--to nanogpt` wrote, of models that nanoGPT can have
    expected.safetensors    ids [seq], i32, and logits [seq, vocab] of PyTorch; the prompt in the metadata
nanoGPT's model is that of `make_imports.py`.
"""

import json
import pickle
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from make_imports import NanoGpt
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

OUT = Path(__file__).parent / "export"
WITHIN = 1e-5
TEXT = "the café\nwas naïve; 5€ {a}.\n" * 20
PROMPT = "naïve café\nwas {5€}."
LLAMA = dict(positions="rotary", norm="rms", mlp="swiglu")
MODELS = {
    "gpt2": dict(mlp="relu2", bias="true", tied_head="false", norm_eps="0.001", d_mlp="20"),
    "gpt2_gelu_tanh": dict(mlp="gelu-tanh", dropout="0.1"),
    "gpt2_sigmoid": dict(mlp="sigmoid", tied_head="false"),
    "llama": LLAMA | dict(n_heads="4", kv_heads="2", d_head="4", tied_head="false", rope_base="100"),
    "llama_bias": LLAMA | dict(mlp="geglu", bias="true", d_mlp="12"),
    "llama_reglu": LLAMA | dict(mlp="reglu", kv_heads="1"),
    "qwen3": LLAMA | dict(qk_norm="true", kv_heads="1"),
    "nanogpt": dict(),
    "nanogpt_bias": dict(bias="true"),
    "modular": dict(task="modular", modulus="23"),
}
NANOGPT = ["nanogpt", "nanogpt_bias", "modular"]


def confab(*arguments):
    subprocess.run([sys.argv[1], *map(str, arguments)], check=True, stderr=subprocess.PIPE)


def train(run, work, options):
    options = dict(task="text", context="32", d_model="8", n_heads="2", n_layers="2", init_std="0.3") | options
    (work / "text.txt").write_text(TEXT)
    if options["task"] == "text":
        options["text_file"] = work / "text.txt"
    flags = [part for key, value in options.items() for part in ("--" + key.replace("_", "-"), value)]
    # With a warm-up of one step every bias and gain moves.
    confab("train", *flags, "--batch", 4, "--warmup", 1, "--steps", 8, "--val-every", 8, "--val-batches", 1,
           "--device", "cpu", "--out", work / "run.safetensors")
    confab("import", work / "run.safetensors", "--out", run)


def likeliest(run, work, prompt):
    """The tokens of the prompt, and by place the likeliest next tokens with their logits, as Confab has them."""
    escaped = prompt.replace("\\", "\\\\").replace("\n", "\\n")
    confab("inspect", run, "--prompt", escaped, "--attention", work / "trace.json", "--device", "cpu")
    trace = json.loads((work / "trace.json").read_text())
    return trace["tokens"], trace["next"]


def tokens_of(run):
    with safe_open(run, "pt") as file:
        tokenizer = json.loads(file.metadata()["confab.tokenizer"])
    return tokenizer.get("alphabet") or tokenizer["tokens"]


def check(name, program, ids, logits, tokens, ours):
    """The largest difference from Confab's logits."""
    read, following = ours
    assert [tokens[i] for i in ids] == read, f"{name}: {program} makes other tokens"
    worst = 0.0
    for row, alternatives in zip(logits, following, strict=True):
        for one in alternatives:
            worst = max(worst, abs(row[tokens.index(one["token"])].item() - one["logit"]))
    assert worst < WITHIN, f"{name}: {program} has logits {worst} apart"
    print(f"{name:15} {program:13} {len(ids)} tokens alike, logits at most {worst:.1e} apart")


def hugging_face(run, folder, prompt):
    confab("export", run, "--to", "hugging-face", folder)
    model, loaded = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True, attn_implementation="eager")
    assert not any(loaded.values()), loaded
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(prompt).input_ids
    assert tokenizer.decode(ids) == prompt
    with torch.no_grad():
        return ids, model.eval()(torch.tensor([ids])).logits[0]


def nanogpt(run, folder, prompt):
    """As nanoGPT's sample.py loads it."""
    folder.mkdir()
    confab("export", run, "--to", "nanogpt", folder / "ckpt.pt")
    checkpoint = torch.load(folder / "ckpt.pt", weights_only=True, mmap=True)
    assert checkpoint["iter_num"] == 8 and checkpoint["config"]["dataset"] == "confab"
    model = NanoGpt(**checkpoint["model_args"])
    model.load_state_dict(checkpoint["model"])
    meta = pickle.loads((folder / "meta.pkl").read_bytes())
    assert [meta["stoi"][meta["itos"][i]] for i in range(meta["vocab_size"])] == list(range(meta["vocab_size"]))
    ids = [meta["stoi"][c] for c in prompt]
    with torch.no_grad():
        return ids, model.eval()(torch.tensor([ids]))[0][0]


def main():
    torch.set_num_threads(1)
    shutil.rmtree(OUT, ignore_errors=True)
    for name, options in MODELS.items():
        folder = OUT / name
        folder.mkdir(parents=True)
        run, is_text = folder / "run.safetensors", options.get("task") is None
        prompt = PROMPT if is_text else "13+4=17"
        with tempfile.TemporaryDirectory() as work:
            train(run, Path(work), options)
            tokens, ours = tokens_of(run), likeliest(run, Path(work), prompt)
        ids, logits = hugging_face(run, folder / "hugging-face", prompt)
        check(name, "transformers", ids, logits, tokens, ours)
        if name in NANOGPT:
            pieces = list(prompt) if is_text else ["13", "+", "4", "=", "17"]
            check(name, "nanoGPT", *nanogpt(run, folder / "nanogpt", pieces), tokens, ours)
        expected = dict(ids=torch.tensor(ids, dtype=torch.int32), logits=logits.contiguous())
        save_file(expected, folder / "expected.safetensors", dict(prompt=prompt))


if __name__ == "__main__":
    main()
