//! Reasons for which a configuration is refused.

use super::limits::MAX_HEADS_WIDTH;

/// Reason for which a configuration is refused before anything runs.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConfigError {
    #[error("there is no setting `{0}`; docs/configuration.md lists all")]
    Unknown(String),
    #[error("{label} was set to `{got}`, but {key} takes {takes}")]
    Range { key: &'static str, label: &'static str, got: String, takes: String },
    #[error(
        "Width (model.d_model) {d_model} is not divisible by Heads (model.n_heads) {n_heads}; \
         {works} heads or a width of {width} would work"
    )]
    Heads { d_model: usize, n_heads: usize, works: usize, width: usize },
    #[error(
        "{n_heads} Heads (model.n_heads) cannot share {kv_heads} KV heads (model.kv_heads) evenly; \
         {works} would work"
    )]
    KeyHeads { n_heads: usize, kv_heads: usize, works: usize },
    #[error(
        "Head dim (model.d_head) {d_head}, of {n_heads} heads, is more than {MAX_HEADS_WIDTH} in \
         all; {works} would work"
    )]
    HeadWidth { n_heads: usize, d_head: usize, works: usize },
    #[error(
        "rotary Position encoding (model.positions) turns pairs of numbers, but heads are {d_head} wide; \
         a Head dim (model.d_head) of {works} would work"
    )]
    Rotary { d_head: usize, works: usize },
    #[error(
        "Mixer (model.mixer) names layer {layer}, but the model has layers 0 to {last}; name one of these, or set \
         Layers (model.n_layers) to {works}"
    )]
    MixerLayer { layer: usize, last: usize, works: usize },
    #[error(
        "Memory layers (model.memory.layers) are `{layers}`, but the model has layers 0 to {last}"
    )]
    MemoryLayers { layers: String, last: usize },
    #[error(
        "product keys are two halves, but Key width (model.memory.d_key) is {d_key}; {works} would work"
    )]
    KeyWidth { d_key: usize, works: usize },
    #[error(
        "heads are checked (train.heads.every) by their gates; turn Head gates (model.head_gates) on, \
         or set Check heads every to 0"
    )]
    HeadGates,
    #[error(
        "Context (model.context) is {context} tokens, shorter than the longest record of the task \
         ({longest}){}; set it to {} or more",
        with_memory(.memory_tokens), .longest + .memory_tokens
    )]
    Context { context: usize, longest: usize, memory_tokens: usize },
    #[error(
        "the run needs about {needs} MiB, more than the {has} MiB {what}; {}",
        advise(.works)
    )]
    Memory { needs: u64, has: u64, what: &'static str, works: Option<usize> },
    /// Parts of a model that do not go together.
    #[error("{why}")]
    Parts { key: &'static str, why: &'static str },
    #[error("the task cannot be made: {0}")]
    Task(String),
}

/// Clause on the memory tokens that stand before a record.
fn with_memory(memory_tokens: &usize) -> String {
    match memory_tokens {
        0 => String::new(),
        count => format!(" with the {count} Memory tokens (model.memory_tokens) before it"),
    }
}

/// Advice on a run that is too large; `works` is the largest batch that fits.
fn advise(works: &Option<usize>) -> String {
    match works {
        Some(works) => format!("a Batch size (train.batch) of {works} would fit"),
        None => "even a Batch size (train.batch) of 1 needs a smaller Width or fewer Layers".into(),
    }
}
