//! Reasons for which a text is not tokenized.

use crate::base::text::named;

/// A text that a model cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenizeError {
    /// A character that no token stands for.
    #[error("this model has never seen “{}”", named(*.0))]
    Unknown(char),
    #[error("the prompt is empty, or blank to this model; type at least one character that it knows")]
    Nothing,
    #[error("the model's tokenizer.json fails on this text: {0}; import the model again with another copy of it")]
    Library(String),
}
