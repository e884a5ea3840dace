//! Prompts that ask for more than was trained: what a model writes then is made up, and tells what
//! it goes by.

#[cfg(feature = "compute")]
mod make;

use serde::{Deserialize, Serialize};

/// A prompt that no training record begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    pub name: String,
    pub prompt: String,
}

/// Where an answer stands beside what the model has been given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// It stands in the prompt.
    Context,
    /// It is the answer of a training record.
    Training,
    /// The model made it up.
    Neither,
}
