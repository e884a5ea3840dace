//! The parts of a record.

use serde::{Deserialize, Serialize};

/// Part of a record that a character belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Field {
    /// `{B}`, `{E}` and their line breaks.
    Marker,
    /// Fixed parts of the format: colons, hyphens, spaces, `=========`.
    Separator,
    Name,
    Digit,
    Question,
    Fact,
    /// Requested text: the recalled name and number, or the answer.
    Answer,
    /// A character of free text.
    Text,
    /// A memory token before the record, which is never predicted.
    Memory,
    /// An opening bracket.
    Opening,
    /// A closing bracket.
    Closing,
}

impl Field {
    /// Name in JSON: `separator`.
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
            Field::Opening => "opening",
            Field::Closing => "closing",
        }
    }
}
