//! Reasons to refuse an analysis.

use crate::interp::analysis::AnalysisError;
use crate::run::{ActivationIntervention, WeightIntervention};
use crate::tokenizer::TokenizeError;

/// The reason that an analysis was refused.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error("there is no analysis `{asked}`; choose one of {has}")]
    NoAnalysis { asked: String, has: String },
    #[error(
        "this model has no low-rank adapters at this step; train one with LoRA rank (train.lora.rank), or choose the \
         last step"
    )]
    NoAdapters,
    #[error(
        "no second prompt could be proposed: no letter, digit or word of the prompt changes what is predicted there; \
         type a second prompt of as many tokens"
    )]
    NothingToCorrupt,
    #[error(transparent)]
    Unknown(#[from] TokenizeError),
    #[error("the prompt has {got} characters, and {limit} can be analysed; shorten it")]
    TooLong { got: usize, limit: usize },
    #[error(
        "the prompt is {got} tokens long; a notebook of this model holds at most {limit}: give a shorter one"
    )]
    TooLongForNotebook { got: usize, limit: usize },
    #[error(transparent)]
    Analysis(#[from] AnalysisError),
    #[error("there is no parameter `{asked}` in this model; it has {has}")]
    NoParameter { asked: String, has: String },
    #[error("{cell}: {} is {rows} × {columns}; count rows and columns from 0", .cell.parameter)]
    NoCell { cell: WeightIntervention, rows: usize, columns: usize },
    #[error(
        "{part} is on a part that this model lacks: it has {layers} layers of {heads} heads, both counted from 0"
    )]
    NoPart { part: ActivationIntervention, layers: usize, heads: usize },
    #[error(
        "{part} is on the pattern of a convolution (conv), a mean over the numbers of a head, by which nothing is computed; \
         change the head, or its kernels, blocks.{layer}.attn.conv.w"
    )]
    NoPattern { part: ActivationIntervention, layer: usize },
    #[error("{what} has {rows} × {columns} numbers, more than can be shown; choose a smaller one")]
    TooMany { what: String, rows: usize, columns: usize },
    #[error(
        "this model has no memory that is stored; set Memory to featural or associative and train"
    )]
    NoMemory,
    #[error("no layer of this model has gates; set Mixer (model.mixer) to delta or mesa and train")]
    NoGates,
    #[error("it cannot be compared with {name}, which has other parts: {why}")]
    Unlike { name: String, why: String },
}
