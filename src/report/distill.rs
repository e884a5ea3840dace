//! How far a clone with memories has come in predicting what its teacher does.

use serde::{Deserialize, Serialize};

/// How a distillation stands. All but `first_kl` is of the last step's batch, before its update.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DistillReport {
    /// Steps done.
    pub step: usize,
    /// Steps there are to be.
    pub steps: usize,
    /// KL(teacher ‖ clone) of what follows a token: mean over those that count, in nats.
    pub kl: f32,
    /// That of the first step's batch, when nothing was learned yet.
    pub first_kl: f32,
    /// Share of tokens at which both hold the same to be likeliest, 0 to 1.
    pub agreement: f32,
    /// Of each layer that was replaced.
    pub layers: Vec<LayerError>,
    pub sides: Option<SideBySide>,
}

/// How far a memory is from the MLP that it replaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerError {
    pub layer: usize,
    /// Mean squared difference between what the teacher's MLP writes and what the memory writes, as a
    /// share of the mean square of the former: 0 if they are the same, 1 of a memory that writes nothing.
    pub error: f32,
    /// Slots of its store; `None` of product keys.
    pub slots: Option<usize>,
}

/// What teacher and clone write after the same prompt, each always the likeliest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SideBySide {
    /// Steps done when the clone wrote.
    pub step: usize,
    pub prompt: String,
    pub teacher: String,
    pub clone: String,
}
