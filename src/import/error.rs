//! Reasons for which a model is not imported.

use crate::base::file_kind::Foreign;
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
        "{given} holds no weights as Hugging Face keeps them; give model.safetensors, or all files \
         that model.safetensors.index.json names"
    )]
    Unfit { given: String },
    #[error("{given} are several files of weights; give the one that is meant")]
    Ambiguous { given: String },
    #[error("{file} is given twice; give the files of one model")]
    Twice { file: String },
    #[error("{by} {why} {missing}, which is missing; give all files of the model")]
    Shard { missing: String, why: &'static str, by: String },
    #[error("{file} is {}", kind.describe())]
    Kind { file: String, kind: Foreign },
    #[error(
        "{file} is a file of PyTorch, which Confab reads at the terminal only; use `confab import` \
         there, and open the file that it writes"
    )]
    Terminal { file: String },
    #[error("{file} holds no tensors of a model; give the file with the model's weights")]
    NoTensors { file: String },
    #[error(
        "{file} holds tensors without the settings of their model; give a config.json with it, as \
         Hugging Face has one. For nanoGPT's tensors it is the `model_args` of the checkpoint, as in \
         {{\"n_layer\": 6, \"n_head\": 6, \"n_embd\": 384, \"block_size\": 256, \"bias\": false, \
         \"vocab_size\": 65}}"
    )]
    Bare { file: String },
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
        "{file} asks for `{name}`, which Confab does not know, and was left unread; nothing in it was \
         run. If you trust it, load it in Python and save again what is needed of it: of a model its \
         tensors alone, by `torch.save(model.state_dict(), FILE)`, to be given with a config.json; of a \
         meta.pkl its `itos`"
    )]
    Global { file: String, name: String },
}
