//! A whole run's settings, and the noise on what it reads.

use serde::{Deserialize, Serialize};

use super::{CodecConfig, LearnerKind, ModelConfig, TaskConfig, TrainConfig};

/// Everything that decides what a run computes. Two runs with equal `RunConfig`s on the same
/// device see the same batches and the same losses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunConfig {
    pub learner: LearnerKind,
    pub task: TaskConfig,
    pub model: ModelConfig,
    pub train: TrainConfig,
    pub noise: NoiseConfig,
    pub codec: CodecConfig,
    /// Seeds the weights, the batches and the dropout. Kept below 2^53 so that JSON readers keep it.
    pub seed: u64,
}

impl RunConfig {
    /// Records that a step reads: a row of each batch holds one.
    pub fn records_per_step(&self) -> usize {
        let batches = match self.learner {
            LearnerKind::Gpt => self.train.accumulation,
            LearnerKind::Codec => 1,
        };
        self.train.batch.saturating_mul(batches)
    }
}

/// Noise on what is read in training; see [`noise`](crate::data::noise). Each but `forget` is the share
/// of characters that it strikes, 0 to 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoiseConfig {
    /// Largest share of a record's characters that later ones do not see.
    pub forget: f64,
    /// Trades places with the next.
    pub swap: f64,
    /// Is left out.
    pub drop: f64,
    /// Is followed by any character.
    pub insert: f64,
    /// Is written twice.
    pub double: f64,
    /// Becomes that of a key beside it.
    pub neighbour: f64,
    /// Becomes one that looks like it.
    pub homoglyph: f64,
    /// White space is dropped or doubled; before another character, a space is put in.
    pub space: f64,
}
