//! The losses of a run.

use serde::{Deserialize, Serialize};

use super::{Field, Floor};

/// Most losses kept per run; a longer history is thinned to every second point.
pub const MAX_HISTORY: usize = 8192;

/// Losses after a step, in nats per character.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossPoint {
    pub step: usize,
    pub train_loss: f32,
    pub val_loss: Option<f32>,
}

/// Losses of one field, in nats per character; `None` if it did not occur.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldLoss {
    pub field: Field,
    /// On the records of the step.
    pub train: Option<f32>,
    /// On held-out records.
    pub val: Option<f32>,
}

impl FieldLoss {
    /// Loss above the floor, in bits per character: in validation, or in training if the floor is reached by
    /// heart.
    pub fn excess_bits(&self, floor: &Floor) -> Option<f64> {
        let floor_nats = floor.field(self.field)?.nats_per_char();
        let paid = if floor.by_heart { self.train } else { self.val };
        Some((f64::from(paid?) - floor_nats) / std::f64::consts::LN_2)
    }
}
