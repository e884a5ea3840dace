//! The entropy floor: the least loss that any model can reach on a task. It is exact, because the generator is
//! known.
//!
//! The chain rule spreads a record's entropy over its characters: each costs −ln of its probability given the
//! characters before it. A character belongs to its [`Field`], so a field's floor is comparable with a model's
//! loss on the same characters.

use serde::{Deserialize, Serialize};

use super::Field;

/// Floor expected over the records of a task; entropies in nats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Floor {
    pub nats_per_char: f64,
    /// Entropy of one record.
    pub total_nats: f64,
    /// Number of predicted characters in one record: all but its first.
    pub chars: f64,
    /// True if a model reaches the floor by learning the training records by heart. Held-out records cannot be
    /// known then, and have no floor.
    pub by_heart: bool,
    /// Floors of the fields that occur.
    pub fields: Vec<FieldFloor>,
}

/// Floor of one field.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldFloor {
    pub field: Field,
    /// Characters of the field in one record.
    pub chars: f64,
    /// Entropy of the field in one record, in nats.
    pub nats: f64,
}

impl FieldFloor {
    pub fn nats_per_char(&self) -> f64 {
        self.nats / self.chars
    }
}

impl Floor {
    /// Floor of `field`.
    pub fn field(&self, field: Field) -> Option<&FieldFloor> {
        self.fields.iter().find(|part| part.field == field)
    }
}
