//! Progress of a clone with memories towards its teacher's predictions.

use serde::{Deserialize, Serialize};

/// State of a distillation. All values but `first_kl` are of the last step's batch, before its update.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DistillReport {
    /// Number of steps done.
    pub step: usize,
    /// Number of steps in all.
    pub steps: usize,
    /// KL(teacher ‖ clone) of the next token, in nats: mean over counted tokens.
    pub kl: f32,
    /// KL of the first step's batch, before any learning.
    pub first_kl: f32,
    /// Share of tokens with the same likeliest prediction, 0 to 1.
    pub agreement: f32,
    /// Error of each replaced layer.
    pub layers: Vec<LayerError>,
    pub sides: Option<SideBySide>,
}

/// Error of a memory against the MLP that it replaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerError {
    pub layer: usize,
    /// Mean squared difference between the outputs of the teacher's MLP and of the memory, over the mean square of
    /// the MLP's output: 0 if they are the same, 1 for a memory that writes nothing.
    pub error: f32,
    /// Slots of the store; `None` for product keys.
    pub slots: Option<usize>,
}

/// Greedy continuations of the same prompt by teacher and clone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SideBySide {
    /// Steps done when the clone wrote.
    pub step: usize,
    pub prompt: String,
    pub teacher: String,
    pub clone: String,
}
