"""Make the adapters that `tests/lora.rs` loads, with Hugging Face's PEFT, and the matrices that they give.

    venv/bin/pip install peft==0.21.2 (beside torch and transformers, as for make_imports.py)
    venv/bin/python tests/reference/make_peft.py

Writes `peft/<model>/`, of the models that make_imports.py made: `adapter_config.json` and
`adapter_model.safetensors` as PEFT saves them, and `merged.safetensors`, the matrices of the model with the adapter
merged, under their names in the model. One rank and scale differs from the others.
"""

import json
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

HERE = Path(__file__).parent
TARGETS = {
    "gpt2": (["c_attn", "c_proj", "c_fc"], {"c_attn": 2}, {"c_attn": 3}),
    "llama": (["q_proj", "v_proj", "down_proj"], {"down_proj": 1}, {"down_proj": 5}),
}

for name, (targets, ranks, alphas) in TARGETS.items():
    torch.manual_seed(5)
    model = AutoModelForCausalLM.from_pretrained(HERE / "import" / name)
    config = LoraConfig(r=3, lora_alpha=6, target_modules=targets, rank_pattern=ranks, alpha_pattern=alphas,
                        fan_in_fan_out=name == "gpt2", task_type="CAUSAL_LM")
    adapted = get_peft_model(model, config)
    with torch.no_grad():
        for key, value in adapted.named_parameters():
            if "lora_" in key:
                value.normal_(0, 0.5)
    folder = HERE / "peft" / name
    adapted.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    written = json.loads((folder / "adapter_config.json").read_text())
    written |= {"base_model_name_or_path": name, "target_modules": sorted(targets)}
    (folder / "adapter_config.json").write_text(json.dumps(written, indent=2, sort_keys=True))
    merged = adapted.merge_and_unload()
    matrices = {key: value.detach().contiguous() for key, value in merged.named_parameters()
                if any(f"{target}.weight" in key for target in targets)}
    save_file(matrices, folder / "merged.safetensors")
