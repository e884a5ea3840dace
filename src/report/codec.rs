//! The progress of a noise codec.

use serde::{Deserialize, Serialize};

use super::{Mapped, Score};

/// Progress of a noise codec after a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CodecPoint {
    /// Steps done.
    pub step: usize,
    /// Records read so far; one that is read again counts again.
    pub records: u64,
    /// Records for whose every token noise was found, of those that noise was drawn for.
    pub fitted: Score,
    /// Draws of noise so far, and tokens that they were for.
    pub draws: (u64, u64),
    /// Contexts that the key layer holds.
    pub contexts: usize,
    /// Training records that are written from the input alone, to the letter, of those that were checked.
    pub training: Score,
    pub held_out: Mapped,
}

impl CodecPoint {
    /// Draws of noise a token; `None` before any.
    pub fn draws_per_token(&self) -> Option<f64> {
        let (draws, tokens) = self.draws;
        (tokens > 0).then(|| draws as f64 / tokens as f64)
    }
}
