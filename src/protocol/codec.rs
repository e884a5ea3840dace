//! Messages on a run of the noise codec.

use serde::{Deserialize, Serialize};

use crate::config::RunConfig;
use crate::report::CodecPoint;

/// A new or loaded codec.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodecBuilt {
    pub config: RunConfig,
    /// Name of the run in the browser's storage.
    pub id: String,
    /// Steps done so far.
    pub step: usize,
    pub vocab_size: usize,
    /// What it did at each validation, oldest first.
    pub history: Vec<CodecPoint>,
    /// Input of a held-out record.
    pub example_prompt: String,
}

/// A step of a codec.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodecStep {
    /// Steps done with it.
    pub step: usize,
    pub steps_per_s: f32,
    /// Tokens read a second.
    pub tokens_per_s: f32,
    /// At a validation.
    pub point: Option<Box<CodecPoint>>,
}
