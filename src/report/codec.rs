//! The progress of a noise codec.

use serde::{Deserialize, Serialize};

use super::{Mapped, Score};

/// What a noise codec does after a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CodecPoint {
    /// Steps done.
    pub step: usize,
    /// Records read so far, again and again where they are limited.
    pub records: u64,
    /// Records for whose every token noise was found, of those that were fitted.
    pub fitted: Score,
    /// Draws of noise so far, and tokens that were drawn for.
    pub draws: (u64, u64),
    /// Contexts that the key layer holds.
    pub contexts: usize,
    /// Training records that are written from the input alone, to the letter.
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
