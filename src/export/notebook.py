# %% [markdown]
# # A model of Confab in TransformerLens
#
# This notebook loads a model that `confab export` wrote, computes in
# [TransformerLens](https://github.com/TransformerLensOrg/TransformerLens) what Confab shows for a prompt, prints both,
# and fails where they differ. It needs `pip install 'transformer-lens>=4,<5'`.

# %%
import json
from pathlib import Path

import numpy as np
import torch
from transformer_lens.model_bridge.sources import build_bridge_from_module
from transformers import AutoModelForCausalLM, AutoTokenizer

# %% [markdown]
# ## The export, the prompt, and Confab's numbers for it

# %%
{{data}}

# %% [markdown]
# ## The model
#
# Its weights are used as they are: `no_processing` leaves the norms out of them.

# %%
loaded = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32)
model = build_bridge_from_module(loaded, loaded.config.architectures[0], hf_config=loaded.config)
model.enable_compatibility_mode(no_processing=True)
model.eval()
torch.set_grad_enabled(False)
n_layers, n_heads = model.cfg.n_layers, model.cfg.n_heads
if Path(FOLDER, "tokenizer.json").exists():
    read = AutoTokenizer.from_pretrained(FOLDER)(PROMPT).input_ids
    assert read == confab["ids"], f"the tokenizer makes {read} of the prompt, and Confab {confab['ids']}"
ids = torch.tensor([confab["ids"]])
logits, cache = model.run_with_cache(ids)


def compare(what, theirs, ours):
    """Prints TransformerLens' numbers and Confab's, and fails where they differ; Confab has none in some places."""
    ours = torch.tensor(np.array(ours, dtype=np.float32)).reshape(theirs.shape)
    there = ~ours.isnan()
    print(f"{what}\nTransformerLens:\n{theirs}\nConfab:\n{ours}")
    if not there.any():
        return print(f"{what}: nothing to compare")
    apart, largest = (theirs - ours)[there].abs().max().item(), ours[there].abs().max().item()
    print(f"{what}: largest difference {apart:.1e}")
    assert apart < 1e-4 * max(1, largest), f"{what}: {apart} apart"


# %% [markdown]
# ## Attention patterns
#
# `[layer, head, query, key]`. Confab has no number for a key after its query.

# %%
patterns = torch.stack([cache["pattern", layer][0] for layer in range(n_layers)])
compare("Attention patterns", patterns, confab["patterns"])

# %% [markdown]
# ## Logit lens
#
# The residual stream at each stage, from the output down to the embedding, through the final norm and the unembedding
# (nostalgebraist 2020): the probability of the likeliest next token, and of the one that does follow, `[stage, position]`.

# %%
stages = [cache["resid_post", n_layers - 1]]
for layer in reversed(range(n_layers)):
    stages += [cache["resid_mid", layer], cache["resid_pre", layer]]
lens = torch.stack([model.unembed(model.ln_final(stage))[0].softmax(-1) for stage in stages])
compare("Probability of the likeliest token", lens.max(-1).values, confab["likeliest"])
following = lens[:, torch.arange(ids.shape[1] - 1), ids[0, 1:]]
compare("Probability of the token that follows", following, [row[:-1] for row in confab["following"]])

# %% [markdown]
# ## Direct logit attribution
#
# What each head and each MLP (the last column) adds to the logit of the likeliest token after the prompt, less the mean
# of all logits, through the final norm with its scale frozen (Elhage et al. 2021): `[layer, part]`.

# %%
target = logits[0, -1].argmax()
direction = model.ln_final.weight * (model.W_U[:, target] - model.W_U.mean(-1))
scale = cache["ln_final.hook_scale"][0, -1]


def attribute(written):
    """Logits that vectors in the residual stream stand for: [..., d_model] to [...]"""
    if model.cfg.normalization_type == "LN":
        written = written - written.mean(-1, keepdim=True)
    return written / scale @ direction


parts = []
for layer in range(n_layers):
    heads = torch.einsum("hd,hdm->hm", cache["z", layer][0, -1], model.W_O[layer])
    parts.append(attribute(torch.cat([heads, cache["mlp_out", layer][0, -1:]])))
compare("Direct logit attribution", torch.stack(parts), confab["attribution"])

# %% [markdown]
# ## Knock-outs
#
# What the same logit loses if a head, or an MLP, writes nothing: `[layer, part]`.

# %%
def measure(logits):
    return logits[0, -1, target] - logits[0, -1].mean()


def without(name, places):
    def knock_out(values, hook):
        values = values.clone()
        values[places] = 0
        return values

    return measure(logits) - measure(model.run_with_hooks(ids, fwd_hooks=[(name, knock_out)]))


effects = torch.tensor([
    [without(f"blocks.{layer}.attn.hook_z", np.s_[:, :, head]) for head in range(n_heads)]
    + [without(f"blocks.{layer}.hook_mlp_out", np.s_[:])]
    for layer in range(n_layers)
])
compare("Knock-outs", effects, confab["knockouts"])

# %% [markdown]
# ## Composition
#
# How much of what a head writes a head of a later layer reads through its queries, keys and values (Elhage et al. 2021):
# `[earlier head, later head]`. Confab has no number for pairs of which the second is not later.

# %%
for kind in "QKV":
    scores = model.all_composition_scores(kind).reshape(n_layers * n_heads, n_layers * n_heads)
    compare(f"{kind}-composition", scores, confab[f"{kind}-composition"])
