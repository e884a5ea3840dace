//! Errors of surgery.

use crate::checkpoint::CheckpointError;
use crate::config::ConfigError;

/// Reasons to leave a model unchanged.
#[derive(Debug, thiserror::Error)]
pub enum SurgeryError {
    #[error("{0}")]
    Number(String),
    #[error("there is no layer {asked}; this model's Layers (model.n_layers) are 0 to {last}")]
    NoLayer { asked: usize, last: usize },
    #[error(
        "a layer cannot go before layer {asked}; this model has {n_layers} Layers (model.n_layers), so 0 \
         to {n_layers} would work"
    )]
    NoPlace { asked: usize, n_layers: usize },
    #[error("there is no adapter {asked}; {}", has_adapters(*.count))]
    NoAdapter { asked: usize, count: usize },
    #[error(
        "the model has adapters ({count}), whose matrices would no longer fit; merge or remove them first (--merge-adapter or \
         --remove-adapter at the terminal)"
    )]
    Adapters { count: usize },
    #[error("there is no head {asked}; this model's Heads (model.n_heads) are 0 to {last}")]
    NoHead { asked: usize, last: usize },
    #[error("the only layer stays: Layers (model.n_layers) are at least 1; add one first")]
    OnlyLayer,
    #[error("the only head stays: Heads (model.n_heads) are at least 1; add one first")]
    OnlyHead,
    #[error(
        "{asked} heads cannot be spread evenly over {kv_heads} KV heads (model.kv_heads); {works} would \
         work"
    )]
    Uneven { asked: usize, kv_heads: usize, works: usize },
    #[error(
        "{asked} heads cannot be dropped of {n_heads}; one at least stays, and Heads (model.n_heads) says \
         how many there are"
    )]
    TooFewHeads { asked: usize, n_heads: usize },
    #[error(
        "{n_heads} heads that share {kv_heads} KV heads (model.kv_heads) are not dropped one by one; drop \
         those of one key head with `drop-head`"
    )]
    SharedKeys { n_heads: usize, kv_heads: usize },
    #[error(
        "heads of this model have no gates to be judged by: train one with Head gates \
         (model.head_gates), or choose a head with `drop-head`"
    )]
    NoHeadGates,
    #[error(
        "no weights of step {asked} of a model of this size are at hand; the page keeps some sixty steps of \
         a run, those under “Checkpoint”, and at the terminal `--past` names a checkpoint of that step"
    )]
    NoPast { asked: usize },
    #[error(
        "what the output remembers is as wide as the residual stream and would not be found; empty the \
         memory first, and fill it again with Freeze weights (train.frozen)"
    )]
    Neighbours,
    #[error(
        "a new layer would stand between others that read from each other: the model has Feedback \
         (model.feedback)"
    )]
    Feedback,
    #[error(
        "what layer {layer} remembers is as wide as its heads together and would not be found by more or \
         fewer; empty the memory first"
    )]
    Memorized { layer: usize },
    #[error(
        "a model has memories of one kind, and its Memory (model.memory.kind) is `memorizing`, which leaves MLPs \
         where they are; another kind, or `none`, would work"
    )]
    Memorizing,
    #[error("layer {layer} has a memory already")]
    IsMemory { layer: usize },
    #[error("there is nothing to widen: MLP (model.mlp) is `none`")]
    NoMlp,
    #[error(
        "values of the new model would be larger than any number can be; the model's own are too large for this, as \
         of a run that diverged"
    )]
    Overflow,
    #[error("the model would not work: {0}")]
    Config(ConfigError),
    #[error("the model would not work: {0}")]
    Room(CheckpointError),
}

// Their texts are part of the message; as sources they would appear twice.
impl From<ConfigError> for SurgeryError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

fn has_adapters(count: usize) -> String {
    match count {
        0 => "this model has none: train one with LoRA rank (train.lora.rank)".into(),
        count => format!("this model's are 0 to {}", count - 1),
    }
}
