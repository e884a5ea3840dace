//! Reasons to refuse an analysis.

use super::Head;

/// Most numbers of a table over tokens: a square of 512 by 512.
pub const MAX_CELLS: usize = 512 * 512;

/// True if a table has room for every pair of `tokens` tokens.
pub fn fits_square(tokens: usize) -> bool {
    tokens.saturating_mul(tokens) <= MAX_CELLS
}

/// Widest head, in numbers, that is decomposed: the time grows with the cube, to seconds at 512.
pub const MAX_D_HEAD: usize = 512;

/// Most numbers of the patterns and outputs of all heads in one recording: 256 MiB.
pub const MAX_RECORDED: usize = 64 << 20;

/// The reason that an analysis was refused: what was asked for, what there is, and what would work.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AnalysisError {
    #[error(
        "the weights given are {got} numbers, but a model of this configuration has {expected}; \
         take weights and configuration from the same checkpoint"
    )]
    Weights { got: usize, expected: usize },
    #[error("there is no head {head}: the model has {n_layers} layers of {n_heads} heads")]
    NoHead { head: Head, n_layers: usize, n_heads: usize },
    #[error("there is no layer {layer}: the model has {n_layers}, counted from 0")]
    NoLayer { layer: usize, n_layers: usize },
    #[error("there is no token {token}: the vocabulary has {vocab_size}, counted from 0")]
    NoToken { token: u32, vocab_size: usize },
    #[error("there is no position {position}: the prompt has {seq} tokens, counted from 0")]
    NoPosition { position: usize, seq: usize },
    #[error("there is no component {component}: the residual stream has {d_model}, counted from 0")]
    NoComponent { component: usize, d_model: usize },
    #[error("{what} would be {rows} × {columns} numbers, more than {limit}; choose fewer tokens, as by a shorter prompt")]
    TooLarge { what: &'static str, rows: usize, columns: usize, limit: usize },
    #[error(
        "a head of width {d_head} is too wide to decompose: {MAX_D_HEAD} is the most; \
         look at a model with more heads"
    )]
    TooWide { d_head: usize },
    #[error(
        "{what} cannot be decomposed: it has numbers that are not finite or too large, as after a \
         training that diverged; load an earlier checkpoint or lower the learning rate"
    )]
    NotFinite { what: String },
    #[error("{seq} tokens were to be read at once, but the model reads 1 to {context}")]
    Context { seq: usize, context: usize },
    #[error(
        "all that the model computes of {seq} tokens is too much to hold at once; \
         take a prompt of at most {longest}"
    )]
    Recording { seq: usize, longest: usize },
    #[error(
        "the prompts must have equally many tokens for one to be patched into the other, but the \
         clean one has {clean} and the corrupted one {corrupted}; leave the second prompt empty to have one proposed"
    )]
    Lengths { clean: usize, corrupted: usize },
    #[error(
        "both prompts give the same logit difference ({difference}), so there is no change to \
         restore; choose prompts or tokens that tell them apart"
    )]
    SameDifference { difference: f32 },
    #[error("the model has no MLPs; patch the residual stream or the heads")]
    NoMlp,
    #[error(
        "paths are expanded for attention-only models of one or two layers without norms, but \
         this one has {0}"
    )]
    NotExpandable(&'static str),
    #[error(
        "layer {layer} is a convolution (conv), which weighs tokens by their distance: it has no keys, and so no query–key \
         circuit; look at its kernels, blocks.{layer}.attn.conv.w, or at a layer of another mixer"
    )]
    NoKeys { layer: usize },
    #[error(
        "all layers are convolutions (conv), whose patterns are means over the numbers of a head, by which nothing is \
         computed, so none can be patched; patch the heads"
    )]
    NoPatterns,
    #[error("the direct path is of no head; singular directions are those of an OV or QK circuit")]
    NotOfAHead,
    #[error("at least {min} tokens are needed for {what}, but there are {got}")]
    TooFew { what: &'static str, min: usize, got: usize },
}
