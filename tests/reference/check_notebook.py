"""Run the notebooks that `confab export --notebook` writes, in TransformerLens.

    python3 -m venv venv && venv/bin/pip install 'transformer-lens==4.3.0'
    cargo build --release --bin confab
    venv/bin/python tests/reference/check_notebook.py target/release/confab [run.safetensors ...]

Exports the runs, by default those of `check_exports.py`, each with a notebook, and executes its code cells. A cell
fails where TransformerLens' numbers are not Confab's; their largest differences are printed.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROMPTS = {"modular": "13+4=17+"}
PROMPT = "naïve café\\nwas {5€}."


def execute(notebook):
    """What the code cells print."""
    cells = json.loads(notebook.read_text())["cells"]
    printed, names = io.StringIO(), {}
    with contextlib.redirect_stdout(printed), contextlib.chdir(notebook.parent):
        for cell in cells:
            if cell["cell_type"] == "code":
                exec(compile(cell["source"], cell["id"], "exec"), names)
    return printed.getvalue()


def main():
    confab, *runs = sys.argv[1:]
    own = sorted((Path(__file__).parent / "export").glob("*/run.safetensors"))
    for run in map(Path, runs) if runs else own:
        prompt = [] if runs else ["--prompt", PROMPTS.get(run.parent.name, PROMPT)]
        with tempfile.TemporaryDirectory() as work:
            lab = Path(work) / "lab.ipynb"
            subprocess.run([confab, "export", run, "--to", "hugging-face", Path(work) / "model", "--notebook", lab,
                            "--device", "cpu", *prompt], check=True, stderr=subprocess.PIPE)
            print(run if runs else run.parent.name)
            for line in execute(lab).splitlines():
                if "largest difference" in line or "nothing to compare" in line:
                    print(f"  {line}")


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
