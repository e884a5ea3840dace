//! Reasons for which a file is not taken for a checkpoint.

use super::format::FORMAT;
use crate::base::file_kind::Foreign;
use crate::config::ConfigError;

/// Reason for which a file is not taken for a checkpoint, or not for the one that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error(
        "it is not a whole safetensors file ({0}); it may be cut off or damaged: use another copy"
    )]
    Format(safetensors::SafeTensorError),
    #[error("it is {}", .0.describe())]
    Kind(Foreign),
    #[error(
        "it is a zip or a pickle, as PyTorch writes them, and no checkpoint of Confab; `confab import` \
         makes one of a model"
    )]
    Pytorch,
    #[error(
        "it is a safetensors file, but not one of Confab: its metadata lacks `{0}`; if another program \
         wrote the model, convert it by `confab import`"
    )]
    Foreign(&'static str),
    #[error("it was written in the format `{0}`; this version reads `{FORMAT}`: update Confab")]
    Version(String),
    #[error("its metadata `{key}` cannot be read: {why}")]
    Metadata { key: &'static str, why: String },
    #[error("its run cannot be run here: {0}")]
    Config(ConfigError),
    #[error("its tensor `{name}` {what}; the file is damaged: use another copy")]
    Tensor { name: String, what: String },
    #[error(
        "its {parameters} parameters need about {needs} MiB to be looked into, more than the {has} MiB \
         this device is taken to have; use a smaller model, or one at the terminal of a larger machine"
    )]
    TooLarge { parameters: usize, needs: u64, has: u64 },
    #[error(
        "its model is not the one that was asked for; set every setting of the model back but Dropout, Slots, \
         Neighbours, Write threshold, Max writes a step, Merge after and kNN-LM share"
    )]
    Model,
    #[error(
        "its model has {}, where {} was asked for; product keys are shaped by their Slots (model.memory.slots): set \
         them back",
        told(.there),
        told(.asked)
    )]
    Shape { there: Option<(String, Vec<usize>)>, asked: Option<(String, Vec<usize>)> },
    #[error("its tokenizer cannot be applied: {0}; import the model again")]
    Tokenizer(String),
    #[error(
        "it is a noise codec, which has tables in place of weights; `confab train --resume`, `confab sample`, `confab \
         eval` and `confab inspect` read it, and the page"
    )]
    Codec,
    #[error("its alphabet is not that of its task in this version of Confab")]
    Alphabet,
}

/// A parameter, by its name and shape.
fn told(parameter: &Option<(String, Vec<usize>)>) -> String {
    match parameter {
        Some((name, shape)) => format!("`{name}` of {shape:?}"),
        None => "no more parameters".into(),
    }
}

// Their texts are part of the message; as sources they would be told twice.
impl From<safetensors::SafeTensorError> for CheckpointError {
    fn from(error: safetensors::SafeTensorError) -> Self {
        Self::Format(error)
    }
}

impl From<ConfigError> for CheckpointError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}
