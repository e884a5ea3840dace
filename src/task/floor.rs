//! The entropy floor: the least loss that any model could reach on a task, known exactly because
//! the generator is.
//!
//! A record's entropy is spread over its characters by the chain rule: each costs −ln of its
//! probability given the characters before it. A character belongs to its [`Field`], so a field's
//! floor can be held against a model's loss on the same characters.

#[cfg(feature = "compute")]
mod oracle;

use serde::{Deserialize, Serialize};

use super::Field;

#[cfg(feature = "compute")]
pub(super) use oracle::Sums;
#[cfg(feature = "compute")]
pub use oracle::{Oracle, surprisals};

/// Expected over the records of a task; entropies in nats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Floor {
    pub nats_per_char: f64,
    /// Of one record.
    pub total_nats: f64,
    /// Characters of one record that are predicted: all but its first.
    pub chars: f64,
    /// Whether it is reached by learning the training records by heart; the held-out ones, which
    /// then cannot be known, have no floor.
    pub by_heart: bool,
    /// Those that occur.
    pub fields: Vec<FieldFloor>,
}

/// A field's part of a [`Floor`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldFloor {
    pub field: Field,
    /// Characters of one record.
    pub chars: f64,
    /// Of one record.
    pub nats: f64,
}

impl FieldFloor {
    pub fn nats_per_char(&self) -> f64 {
        self.nats / self.chars
    }
}

impl Floor {
    /// The floor's part of `field`.
    pub fn field(&self, field: Field) -> Option<&FieldFloor> {
        self.fields.iter().find(|part| part.field == field)
    }
}
