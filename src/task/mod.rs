//! What a model is trained on. A task draws **records** from a seeded generator, says which field
//! each character belongs to, and keeps validation records apart by construction.
//!
//! What draws them is left out of the page, for its lists of words are an eighth of what it would weigh.

pub mod floor;
mod probe;
mod record;

#[cfg(feature = "compute")]
mod draw;
#[cfg(feature = "compute")]
mod facts;
#[cfg(feature = "compute")]
mod induction;
#[cfg(feature = "compute")]
mod modular;
#[cfg(feature = "compute")]
mod ngram;
#[cfg(feature = "compute")]
mod phone;
#[cfg(feature = "compute")]
mod prefixes;
#[cfg(feature = "compute")]
mod split;
#[cfg(feature = "compute")]
mod text;

use serde::{Deserialize, Serialize};

pub use floor::{FieldFloor, Floor};
pub use probe::{Probe, Source};
pub use record::Record;

#[cfg(feature = "compute")]
pub use draw::{Split, Task, record_rng};
#[cfg(feature = "compute")]
pub use facts::Facts;
#[cfg(feature = "compute")]
pub use induction::{Induction, SEPARATOR};
#[cfg(feature = "compute")]
pub use modular::Modular;
#[cfg(feature = "compute")]
pub use phone::{Phone, UNKNOWN};
#[cfg(feature = "compute")]
pub use text::Text;

/// Which task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    #[default]
    Phone,
    Facts,
    Text,
    Induction,
    Modular,
}

impl_names! {
    TaskKind:
    Phone = "phone",
    Facts = "facts",
    Text = "text",
    Induction = "induction",
    Modular = "modular",
}

/// What the line after the separator of a `phone` record repeats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecallRule {
    /// One of the listed lines, number and all: it can be recalled.
    #[default]
    True,
    /// A listed name with a *fresh* number, as the published generator drew it: it cannot.
    AsPublished,
}

impl_names!(RecallRule: True = "true", AsPublished = "as_published");

/// What a character of a record is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Field {
    /// `{B}`, `{E}` and the line breaks that belong to them.
    Marker,
    /// What is fixed by the format: colons, hyphens, spaces, `=========`.
    Separator,
    Name,
    Digit,
    Question,
    Fact,
    /// What is asked for: the recalled name and number, or the answer.
    Answer,
    /// A character of free text.
    Text,
    /// A memory token before the record, which is never asked for.
    Memory,
}

impl Field {
    /// As it is written in JSON: `separator`.
    pub fn name(self) -> &'static str {
        match self {
            Field::Marker => "marker",
            Field::Separator => "separator",
            Field::Name => "name",
            Field::Digit => "digit",
            Field::Question => "question",
            Field::Fact => "fact",
            Field::Answer => "answer",
            Field::Text => "text",
            Field::Memory => "memory",
        }
    }
}
