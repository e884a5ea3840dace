//! The entropy floor: the least loss that any model can reach on a task. It is exact, because the generator is
//! known, unless there is too much to count.
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
    pub found: Found,
}

/// The way in which a floor was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Found {
    /// By a formula, or from all records.
    #[default]
    Exactly,
    /// Exactly, over this many states of what can be known.
    Counted { states: usize },
    /// As the mean of the exact costs of drawn records. `standard_error`: of the nats of a record.
    Estimated { records: usize, standard_error: f64 },
}

impl Found {
    /// A sentence on it, if it is not by a formula.
    pub fn describe(&self) -> Option<String> {
        match self {
            Self::Exactly => None,
            Self::Counted { states } => Some(format!("Counted over {states} belief states.")),
            Self::Estimated { records, standard_error } => Some(format!(
                "Estimated, for the belief states are too many to count: the mean of {records} records' exact \
                 −ln p, with a standard error of {standard_error:.3} nats a record."
            )),
        }
    }
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
    /// Standard error of the nats per character, if they are estimated.
    pub fn standard_error(&self) -> Option<f64> {
        match self.found {
            Found::Estimated { standard_error, .. } => Some(standard_error / self.chars),
            _ => None,
        }
    }

    /// Floor of `field`.
    pub fn field(&self, field: Field) -> Option<&FieldFloor> {
        self.fields.iter().find(|part| part.field == field)
    }
}
