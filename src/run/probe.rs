//! Prompts that ask for more than the training data holds. The model makes up an answer, which shows what it
//! relies on.

use serde::{Deserialize, Serialize};

/// A prompt that begins no training record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    pub name: String,
    pub prompt: String,
}

/// Source of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswerSource {
    /// It is in the prompt.
    Context,
    /// It is the answer of a training record.
    Training,
    /// The model made it up.
    Neither,
}
