//! Reasons for which a model is not imported.

use crate::config::ConfigError;

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(
        "there is no model among the files ({given}); give a model's config.json and its \
         .safetensors, as Hugging Face has them, or nanoGPT's ckpt.pt"
    )]
    Nothing { given: String },
    #[error("{file} is given without {lacks}, {which}; give both")]
    Alone { file: String, lacks: &'static str, which: &'static str },
    #[error(
        "{file} is a file of PyTorch, which Confab reads at the terminal only; use `confab` there"
    )]
    Terminal { file: String },
    #[error(
        "{file} cannot be read as {kind}: {why}; it may be cut off or damaged: use another copy"
    )]
    Format { file: String, kind: &'static str, why: String },
    #[error(
        "{file} is of the model_type `{found}`, {why}; Confab reads gpt2, llama, mistral and qwen3"
    )]
    Family { file: String, found: String, why: &'static str },
    #[error("{file}: its `{key}` {what}")]
    Setting { file: String, key: &'static str, what: String },
    #[error("{file}: the model cannot be run here: {why}")]
    Config { file: String, why: ConfigError },
    #[error("{file}: the tensor `{name}` {what}")]
    Tensor { file: String, name: String, what: String },
    #[error("{file}: {what}")]
    Vocabulary { file: String, what: String },
    #[error(
        "{file} asks for `{name}`, which no model's weights need, and was left unread; nothing in it \
         was run. If you trust it, load it in PyTorch and save its tensors alone"
    )]
    Global { file: String, name: String },
}
