//! Families of models, and the tensors in which each keeps Confab's parameters.

use super::ImportError;
use super::tensors::{Tensors, View};

/// Names of tensors without what programs wrap around a model.
#[derive(Debug)]
pub struct Family {
    /// Part before all names but the unembedding's.
    wrapper: &'static str,
    /// Confab's names and theirs, of parameters outside of blocks.
    outer: &'static [(&'static str, &'static str)],
    /// Prefix of a block's number.
    block: &'static str,
    /// Confab's names and theirs, of a block's parts.
    parts: &'static [(&'static str, &'static str)],
    /// True if matrices in blocks are `[out, in]`, as torch.nn.Linear keeps them.
    is_transposed: bool,
}

/// Hugging Face's, whose matrices are those of a convolution: `[in, out]`.
pub const GPT2: Family = Family {
    wrapper: "transformer",
    outer: &[
        ("embed.W_E", "wte.weight"),
        ("pos_embed.W_pos", "wpe.weight"),
        ("ln_final.w", "ln_f.weight"),
        ("ln_final.b", "ln_f.bias"),
        ("unembed.W_U", UNEMBED),
    ],
    block: "h",
    parts: &[
        ("ln1.w", "ln_1.weight"),
        ("ln1.b", "ln_1.bias"),
        ("attn.W_Q", "attn.c_attn.weight"),
        ("attn.b_Q", "attn.c_attn.bias"),
        ("attn.W_K", "attn.c_attn.weight"),
        ("attn.b_K", "attn.c_attn.bias"),
        ("attn.W_V", "attn.c_attn.weight"),
        ("attn.b_V", "attn.c_attn.bias"),
        ("attn.W_O", "attn.c_proj.weight"),
        ("attn.b_O", "attn.c_proj.bias"),
        ("ln2.w", "ln_2.weight"),
        ("ln2.b", "ln_2.bias"),
        ("mlp.W_in", "mlp.c_fc.weight"),
        ("mlp.b_in", "mlp.c_fc.bias"),
        ("mlp.W_out", "mlp.c_proj.weight"),
        ("mlp.b_out", "mlp.c_proj.bias"),
    ],
    is_transposed: false,
};

/// nanoGPT's: GPT-2's names, and linear layers.
pub const NANOGPT: Family = Family { is_transposed: true, ..GPT2 };

/// Hugging Face's, with halves of heads in Confab's order.
pub const LLAMA: Family = Family {
    wrapper: "model",
    outer: &[
        ("embed.W_E", "embed_tokens.weight"),
        ("ln_final.w", "norm.weight"),
        ("unembed.W_U", UNEMBED),
    ],
    block: "layers",
    parts: &[
        ("ln1.w", "input_layernorm.weight"),
        ("attn.W_Q", "self_attn.q_proj.weight"),
        ("attn.b_Q", "self_attn.q_proj.bias"),
        ("attn.W_K", "self_attn.k_proj.weight"),
        ("attn.b_K", "self_attn.k_proj.bias"),
        ("attn.W_V", "self_attn.v_proj.weight"),
        ("attn.b_V", "self_attn.v_proj.bias"),
        ("attn.q_norm.w", "self_attn.q_norm.weight"),
        ("attn.k_norm.w", "self_attn.k_norm.weight"),
        ("attn.W_O", "self_attn.o_proj.weight"),
        ("attn.b_O", "self_attn.o_proj.bias"),
        ("ln2.w", "post_attention_layernorm.weight"),
        ("mlp.W_gate", "mlp.gate_proj.weight"),
        ("mlp.b_gate", "mlp.gate_proj.bias"),
        ("mlp.W_in", "mlp.up_proj.weight"),
        ("mlp.b_in", "mlp.up_proj.bias"),
        ("mlp.W_out", "mlp.down_proj.weight"),
        ("mlp.b_out", "mlp.down_proj.bias"),
    ],
    is_transposed: true,
};

pub const UNEMBED: &str = "lm_head.weight";

/// True if the tensor `name` is no weight of a model: a constant, or an unembedding that is tied.
pub fn is_ignored(name: &str) -> bool {
    let constants = [".attn.bias", ".attn.masked_bias", "rotary_emb.inv_freq"];
    name == UNEMBED || constants.iter().any(|constant| name.ends_with(constant))
}

/// Takes the unembedding for the embedding too, where a tied model's file has it under that name only.
pub fn tie(tensors: &mut Tensors, embed: &str) {
    tensors.alias(UNEMBED, embed);
}

/// True if the unembedding is the embedding: if there is none, or if it is the same to the bit.
pub fn is_tied(tensors: &Tensors, embed: &str) -> bool {
    match (tensors.find(embed), tensors.find(UNEMBED)) {
        (Some(embed), Some(unembed)) => embed.is_same(unembed),
        _ => true,
    }
}

/// The tensor, or the part of one, that a parameter lies in.
pub struct Source {
    pub name: String,
    is_transposed: bool,
    /// Number of the third, where queries, keys and values lie side by side.
    pub third: Option<usize>,
}

impl Family {
    /// Name of the tensor `bare` in a whole model.
    pub fn full_name(&self, bare: &str) -> String {
        if bare == UNEMBED { bare.into() } else { format!("{}.{bare}", self.wrapper) }
    }

    /// The tensor of `parameter`.
    ///
    /// # Panics
    /// If models of this family have no such parameter.
    pub fn source(&self, parameter: &str) -> Source {
        let find = |names: &[(&str, &'static str)], ours: &str| {
            let found = names.iter().find(|(name, _)| *name == ours);
            found.unwrap_or_else(|| panic!("this family has no {parameter}")).1
        };
        let Some((layer, part)) = parameter.strip_prefix("blocks.").and_then(|p| p.split_once('.'))
        else {
            let name = find(self.outer, parameter);
            return Source { name: name.into(), is_transposed: name == UNEMBED, third: None };
        };
        let theirs = find(self.parts, part);
        let is_fused = theirs.starts_with("attn.c_attn.");
        Source {
            name: format!("{}.{layer}.{theirs}", self.block),
            is_transposed: self.is_transposed && part.contains(".W_"),
            third: "QKV".find(|of| is_fused && part.ends_with(of)),
        }
    }
}

impl Source {
    /// Shape of the tensor; the parameter is of `shape`.
    pub fn tensor_shape(&self, shape: &[usize]) -> Vec<usize> {
        let mut shape = shape.to_vec();
        if let (Some(out), Some(_)) = (shape.last_mut(), self.third) {
            *out *= 3;
        }
        if self.is_transposed {
            shape.reverse();
        }
        shape
    }

    /// The parameter's matrix in its tensor; the parameter is of `shape`.
    ///
    /// # Errors
    /// If its tensor is missing or odd.
    pub fn view<'t>(&self, tensors: &'t Tensors, shape: &[usize]) -> Result<View<'t>, ImportError> {
        let view = View::new(tensors.get(&self.name, &self.tensor_shape(shape))?);
        let view = if self.is_transposed { view.transposed() } else { view };
        Ok(match self.third {
            Some(third) => view.third(third),
            None => view,
        })
    }

    /// Writes a parameter of `shape` into its tensor: the inverse of [`view`](Self::view).
    ///
    /// # Shapes
    /// `tensor`: [`tensor_shape`](Self::tensor_shape), flat
    pub fn write(&self, parameter: &[f32], shape: &[usize], tensor: &mut [f32]) {
        let columns = *shape.last().unwrap_or(&1);
        let rows = parameter.len() / columns.max(1);
        let (first, width) = match self.third {
            Some(third) => (third * columns, 3 * columns),
            None => (0, columns),
        };
        for (at, value) in parameter.iter().enumerate() {
            let (row, column) = (at / columns, first + at % columns);
            let place = if self.is_transposed { column * rows + row } else { row * width + column };
            tensor[place] = *value;
        }
    }
}
