"""Make the checkpoints that `tests/checkpoints.rs` reads, and what the binary that wrote them makes of them.

    python3 tests/checkpoints/make.py target/release/confab tests/checkpoints/v2

The second folder must not be there yet. It gets one `<name>.safetensors` for every way to come to a checkpoint
that is listed in `checkpoints` below, and `expected.json`, which has of each:
    covers      what it is there for
    prompt      what a greedy sample goes on from
    max_chars   how long that is
    text        the sample, its prompt included
    costs       what each of its characters cost, in nats
    losses      the next 20 points of `confab.history` when it is resumed: those of training, and of validation
                where they fall; nothing of a model that brought nothing to train on

A folder is never made again once it is committed: its files are what users of that time have. `v1` is of the
binary as it was at commit c57a845, before the source was rearranged. Python needs nothing installed.

A run that has ended is resumed with 20 more --steps; one that was interrupted goes on as it was going to.
Everything is done twice, and must come out the same to the bit; and again with weights changed by what rounding
may change, to be told of whatever hangs on that.
"""

import array
import json
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

IMPORTS = Path(__file__).parent.parent / "reference" / "import"
NEXT = 20  # steps whose losses are expected
GAP = 2e-3  # least by which the likeliest character must be ahead, for the sample to hang on no rounding
ROUNDING = 1e-7  # share by which weights are changed, up or down, to see what hangs on rounding
MOST = 2e-6  # most by which losses may change then

SIZE = "--n-layers 2 --n-heads 2 --d-model 8"
RUN = "--steps 120 --batch 4 --warmup 4 --lr 0.03 --min-lr 0.003 --val-every 10 --val-batches 1"
INDUCTION = f"--task induction --characters 8 --min-len 3 --max-len 6 --context 16 --init-std 0.3 {SIZE} {RUN}"
PHONE = f"--task phone --lines 1 --names 8 --context 80 {SIZE} {RUN}"
FACTS = f"--task facts --facts 10 --context 160 {SIZE} {RUN} --batch 2"
MODULAR = f"--task modular --modulus 11 --fraction 0.5 --context 8 {SIZE} {RUN} --batch 8"

TEXT = """\
Wie heißt der Bürgermeister von Wesel? — Esel!
Fischers Fritze fischt frische Fische, frische Fische fischt Fischers Fritze.
In Ulm, um Ulm und um Ulm herum. Blaukraut bleibt Blaukraut, und Brautkleid bleibt Brautkleid.
"""
RECORDS = "".join(
    json.dumps({"instruction": f"double {n}", "output": f"{2 * n}"}) + "\n" for n in range(1, 13)
)


class Maker:
    def __init__(self, confab, folder):
        self.confab, self.folder = confab, folder
        self.scratch = Path(tempfile.mkdtemp())
        self.expected = {}

    def run(self, *args):
        """Runs the binary; what it wrote to standard output."""
        done = subprocess.run([self.confab, *map(str, args)], capture_output=True)
        if done.returncode != 0:
            sys.exit(f"confab {' '.join(map(str, args))}\n{done.stderr.decode()}")
        return done.stdout.decode()

    def train(self, flags, out, *more):
        return self.run("train", "--device", "cpu", *split(flags), *more, "--out", out)

    def interrupt(self, args, at):
        """Trains until a step from `at` on is told of, and then as Ctrl-C does: it is saved and ends."""
        command = [self.confab, "train", "--device", "cpu", *map(str, args)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            told = []
            for line in process.stderr:
                told.append(line)
                if line.startswith("step ") and int(line.split()[1].rstrip(":")) >= at:
                    process.send_signal(signal.SIGINT)
                    told.extend(process.stderr)
        if process.returncode != 0:
            sys.exit("".join(told))

    def keep(self, name, source, prompt, max_chars, covers):
        """Takes `source` among the checkpoints, and finds out what is expected of it."""
        file = self.folder / f"{name}.safetensors"
        shutil.copyfile(source, file)
        text, costs = self.sample(file, prompt, max_chars)
        losses = self.resume(file)
        assert (text, costs) == self.sample(file, prompt, max_chars), f"{name}: samples differ"
        assert losses == self.resume(file), f"{name}: losses differ"
        self.shake(file, losses)
        self.expected[name] = dict(covers=covers, prompt=prompt, max_chars=max_chars, text=text, costs=costs,
                                   losses=losses)
        print(f"{file.stat().st_size:8} {name:24} {text[len(prompt):]!r}", flush=True)
        return file

    def shake(self, file, losses):
        """Whether the losses of other builds, which round otherwise, will be the same."""
        shaken = self.scratch / "shaken.safetensors"
        for seed in range(3):
            shaken.write_bytes(shake(file.read_bytes(), random.Random(seed)))
            for expected, got in zip(losses, self.resume(shaken)):
                pairs = [(expected[of], got[of]) for of in ["train_loss", "val_loss"] if expected[of] is not None]
                if any(abs(a - b) > MOST for a, b in pairs):
                    print(f"{file.stem}: {expected} hangs on rounding; with other weights it is {got}")
                    break

    def sample(self, file, prompt, max_chars):
        args = ["sample", file, "--device", "cpu", "--prompt", prompt.replace("\n", "\\n")]
        args += ["--temperature", "0", "--max-chars", max_chars]
        drawn = [json.loads(line) for line in self.run(*args, "--probs").splitlines()]
        text = self.run(*args).removesuffix("\n")
        assert text == prompt + "".join(of["picked"] for of in drawn)
        gaps = [of["alternatives"][0]["logit"] - of["alternatives"][1]["logit"] for of in drawn]
        if min(gaps) < GAP:
            print(f"{file.stem}: a character is ahead by {min(gaps):.1e} only; take another --seed")
        return text, [of["cost"]["loss"] for of in drawn]

    def resume(self, file):
        """The losses of the next steps."""
        metadata = read_metadata(file)
        config, step = json.loads(metadata["confab.config"]), int(metadata["confab.step"])
        if config["task"]["kind"] == "text" and not config["task"]["text"]["text"]:
            return []
        out, last = self.scratch / "resumed.safetensors", step + NEXT
        if config["train"]["steps"] <= last:
            self.train(f"--steps {last}", out, "--resume", file)
        else:
            self.interrupt(["--resume", file, "--out", out], last)
        history = json.loads(read_metadata(out)["confab.history"])
        losses = [point for point in history if step < point["step"] <= last]
        assert len(losses) == NEXT, f"{file}: {len(losses)} losses"
        return losses

    def write(self):
        lines = []
        for name, expected in self.expected.items():
            losses = [f"\n      {json.dumps(point)}" for point in expected.pop("losses")]
            fields = [f'"{key}": {json.dumps(value, ensure_ascii=False)}' for key, value in expected.items()]
            fields.append(f'"losses": [{",".join(losses)}]')
            lines.append(f'  "{name}": {{\n    ' + ",\n    ".join(fields) + "\n  }")
        text = "{\n" + ",\n".join(lines) + "\n}\n"
        json.loads(text)
        (self.folder / "expected.json").write_text(text)
        shutil.rmtree(self.scratch)


def split(flags):
    """Of flags that each take a value; of one that is given again, the last wins."""
    words = flags.split()
    return [word for pair in dict(zip(words[::2], words[1::2])).items() for word in pair]


def read_metadata(file):
    with open(file, "rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        return json.loads(opened.read(length))["__metadata__"]


def shake(data, rng):
    """A checkpoint's bytes with all weights changed by what is about the rounding of 32 bits."""
    (length,) = struct.unpack("<Q", data[:8])
    shaken = bytearray(data)
    for name, tensor in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__" or name.startswith("optim.") or ".slots." in name:
            continue
        begin, end = (8 + length + at for at in tensor["data_offsets"])
        values = array.array("f", data[begin:end])
        values = array.array("f", [value * (1 + rng.choice([-ROUNDING, ROUNDING])) for value in values])
        shaken[begin:end] = values.tobytes()
    return bytes(shaken)


def checkpoints(make):
    scratch = make.scratch

    def trained(name, flags, prompt, max_chars, covers, *more):
        """A run that has ended."""
        make.train(flags, scratch / name, *more)
        return make.keep(name, scratch / name, prompt, max_chars, covers)

    # ---- runs

    plain = trained("plain", PHONE, "{B}\n", 48, "GPT-2's parts, phone, moments, a run that has ended")

    flags = (f"{INDUCTION} --steps 3000 --lr 0.01 --accumulation 2 --weight-decay 0.3 --clip 0 --beta1 0.8 "
             "--beta2 0.98 --seed 7")
    make.interrupt([*split(flags), "--out", scratch / "interrupted"], 100)
    make.keep("interrupted", scratch / "interrupted", "abca", 24,
              "a run stopped by Ctrl-C in its midst, and AdamW's settings")

    make.train(f"{INDUCTION} --steps 128", scratch / "whole", "--keep-steps", scratch / "kept")
    make.keep("kept", scratch / "kept" / "step96.safetensors", "abca", 24,
              "a step of --keep-steps, which has no moments")

    # ---- parts

    trained("llama_parts",
            f"{INDUCTION} --n-heads 4 --kv-heads 2 --d-head 4 --positions rotary --rope-base 1000 --norm rms "
            "--norm-eps 1e-6 --mlp swiglu --d-mlp 20 --qk-norm true --bias true --tied-head false --seed 2",
            "abca", 24, "rotary positions, RMSNorm, SwiGLU, shared keys, QK norm, biases, a head width")
    trained("untied",
            f"{INDUCTION} --tied-head false --bias true --mlp gelu-tanh --d-head 3 --init-std 0.25 --output-l1 0.1",
            "abca", 24, "an untied head, biases, gelu-tanh, Output L1, an initial spread")
    trained("relu2_without_norm", f"{INDUCTION} --mlp relu2 --norm none --positions none --init-std 0.35",
            "abca", 24, "relu2, no norm, no positions")
    trained("attention_only", f"{INDUCTION} --n-layers 1 --mlp none --norm none", "abca", 24,
            "one layer of attention and nothing else")
    trained("noise",
            f"{PHONE} --dropout 0.2 --noise-forget 0.3 --noise-swap 0.05 --noise-drop 0.05 --noise-insert 0.05 "
            "--noise-double 0.05 --noise-neighbour 0.05 --noise-homoglyph 0.05 --noise-space 0.05",
            "{B}\n", 48, "dropout, and every noise on what is read")
    trained("feedback", f"{INDUCTION} --n-layers 3 --feedback true", "abca", 24, "feedback")
    trained("memory_tokens", f"{INDUCTION} --memory-tokens 2 --context 18 --seed 2", "abca", 24, "memory tokens")

    # ---- tasks

    trained("facts", f"{FACTS} --facts 300 --repetitions 2 --shuffle 3 --context 200", "{B}What", 48,
            "facts, generated ones of another world")
    trained("as_published", f"{PHONE} --lines 2 --names 20 --context 135 --answer random --unknown 0.3 --seed 2",
            "{B}\n", 48, "phone as published, with names that are not listed")
    trained("modular", f"{MODULAR} --mlp relu", "3+4=", 3, "modular, relu")
    trained("text", f"--task text --context 24 {SIZE} {RUN}", "Wie ", 48, "a text", "--text", TEXT)
    trained("records", f"--task text --context 32 {SIZE} {RUN}", "{B}", 32, "a text of instructions and outputs",
            "--text", RECORDS)

    # ---- memories

    few = "--memory-slots 24 --memory-top-k 4"
    # Which of many slots that are all but the same is found would hang on rounding, where keys are not trained.
    apart = "--memory-write-threshold 0.8 --lr 0.01 --min-lr 0.001"
    featural = trained("featural", f"{FACTS} --memory featural --memory-layers 1 --memory-merge-after 3 {few} --seed 2",
                       "{B}What", 48, "a featural memory in one layer, slots that were merged")
    trained("associative",
            f"{INDUCTION} --memory associative --memory-d-key 6 --memory-distance cosine {apart} "
            "--memory-max-writes 2 --memory-slots 16 --memory-top-k 4 --init-std 0.1",
            "abca", 24, "associative memories in all layers, cosine distances, keys of another width")
    trained("product_key", f"{INDUCTION} --memory product-key --memory-layers 0 {few} --seed 2", "abca", 24,
            "a memory of product keys")
    trained("memorizing", f"{INDUCTION} --memory memorizing --memory-layers 1 {few}", "abca", 24,
            "memorizing attention")
    trained("knn", "--memory-lambda 0.5 --memory-slots 48 --frozen true --steps 12", "{B}\n", 48,
            "kNN-LM over frozen weights, begun with --from", "--from", plain)

    make.train(f"{FACTS} --shuffle 2 --memory featural --memory-layers 1 {few}", scratch / "other")
    make.run("memory", "swap", featural, "--with", scratch / "other", "--device", "cpu", "--out", scratch / "swapped")
    make.run("memory", "teach", scratch / "swapped", "--text", "{B}What is new? (This is", "--device", "cpu")
    listed = json.loads(make.run("memory", "export", scratch / "swapped", "--device", "cpu").splitlines()[0])
    value = ",".join(str(0.25 * (at % 3 - 1)) for at in range(8))
    make.run("memory", "edit", scratch / "swapped", listed["id"], f"--value={value}", "--device", "cpu")
    make.keep("taught", scratch / "swapped", "{B}What", 48, "slots that were swapped in, taught and edited")

    flags = f"--memory-distance cosine {apart} --memory-slots 16 --memory-top-k 4 --steps 12 --warmup 2 --seed 1"
    make.run("distill", plain, "--memory", "1:associative", *split(flags), "--device", "cpu",
             "--out", scratch / "clone")
    make.keep("clone", scratch / "clone", "{B}\n", 48, "a clone that was distilled into an associative memory")

    # ---- heads that come and go

    heads = f"{INDUCTION} --head-gates true --tied-head false"
    trained("grown", f"{heads} --heads-every 40 --heads-grow-above 0.1 --heads-max 4 --heads-prune-below 0",
            "abca", 24, "contributions, heads grown by training")
    trained("shrunk",
            f"{heads} --n-heads 4 --d-head 2 --heads-every 60 --heads-grow-above 1 --heads-prune-below 1 "
            "--heads-prune-by gradient",
            "abca", 24, "contributions, heads dropped by training, judged by gradients")
    make.train(heads, scratch / "heads")
    make.run("edit", scratch / "heads", "--grow-heads", "2", "--prune-heads", "1", "-o", scratch / "edited_heads")
    make.keep("edited_heads", scratch / "edited_heads", "abca", 24, "heads grown and pruned by surgery")

    # ---- surgery

    make.train(f"{INDUCTION} {few}", scratch / "before")
    make.run("edit", scratch / "before", "--widen", "2", "--add-layer", "1", "--add-heads", "1", "--widen-mlp", "4",
             "--drop-head", "0", "--drop-layer", "0", "--mlp-to-memory", "1", "-o", scratch / "edited")
    make.keep("edited", scratch / "edited", "abca", 24,
              "surgery of seven kinds, just done: a memory that holds nothing yet")
    make.train("--steps 130", scratch / "edited_and_trained", "--resume", scratch / "edited")
    make.keep("edited_and_trained", scratch / "edited_and_trained", "abca", 24,
              "the same 10 steps later: the memory holds slots")

    make.train(INDUCTION, scratch / "dense", "--keep-steps", scratch / "past")
    make.run("edit", scratch / "dense", "--prune-weights", "50", "--rewind", "0",
             "--past", scratch / "past" / "step0.safetensors", "-o", scratch / "ticket")
    resumed = json.loads(read_metadata(scratch / "ticket")["confab.step"])
    make.train(f"--steps {resumed + 10}", scratch / "pruned", "--resume", scratch / "ticket")
    make.keep("pruned", scratch / "pruned", "abca", 24, "weights pruned and rewound, whose zeros are kept")

    # ---- everything at once

    flags = (f"{INDUCTION} --n-heads 4 --kv-heads 2 --positions rotary --norm rms --mlp swiglu --d-mlp 12 "
             "--qk-norm true --bias true --tied-head false --head-gates true --feedback true --memory-tokens 2 "
             f"--context 18 --memory featural --memory-layers 1 {few} --dropout 0.1 --noise-forget 0.2 --seed 2")
    make.train(flags, scratch / "many")
    make.train("--memory-lambda 0.3 --frozen true --steps 10", scratch / "together", "--from", scratch / "many")
    make.keep("together", scratch / "together", "abca", 24, "most parts at once, featural memory and kNN-LM")

    # ---- other people's models

    for name in ["gpt2", "gpt2_untied", "llama", "llama_bf16", "mistral", "nanogpt", "nanogpt_bias", "qwen3"]:
        files = sorted(file for file in (IMPORTS / name).iterdir() if file.name != "expected.safetensors")
        make.run("import", *files, "--out", scratch / name)
        prompt = {"gpt2": "the cat", "nanogpt": "abc", "nanogpt_bias": "abc"}.get(name, "<3><17><29>")
        make.keep(f"import_{name}", scratch / name, prompt, 24, f"{name} as `confab import` wrote it")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder = Path(sys.argv[2])
    folder.mkdir()
    make = Maker(Path(sys.argv[1]).resolve(), folder)
    checkpoints(make)
    make.write()


if __name__ == "__main__":
    main()
