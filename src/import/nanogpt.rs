//! Models of nanoGPT (Karpathy, <https://github.com/karpathy/nanoGPT>), by the `model_args` of its
//! checkpoints.

use super::ImportError;
use super::family::{NANOGPT, is_tied, tie};
use super::model_files::ModelFiles;
use super::settings::Settings;
use super::tensors::Tensors;
use crate::config::ModelConfig;

/// True if the settings are `model_args`.
pub fn is_of(settings: &Settings) -> bool {
    settings.has("block_size") && !settings.has("model_type")
}

pub fn read<'a>(
    settings: &Settings<'a>,
    mut tensors: Tensors<'a>,
) -> Result<ModelFiles<'a>, ImportError> {
    tie(&mut tensors, "wte.weight");
    let config = ModelConfig {
        n_layers: settings.need("n_layer")?,
        n_heads: settings.need("n_head")?,
        d_model: settings.need("n_embd")?,
        context: settings.need("block_size")?,
        dropout: settings.get("dropout")?.unwrap_or(0.0),
        tied_head: is_tied(&tensors, "wte.weight"),
        bias: settings.get("bias")?.unwrap_or(true), // older checkpoints are as GPT-2
        ..ModelConfig::default()                     // whose parts are nanoGPT's
    };
    let vocab_size = settings.need("vocab_size")?;
    Ok(ModelFiles { file: settings.file, config, vocab_size, family: &NANOGPT, tensors })
}
