//! The kinds of tasks.

use serde::{Deserialize, Serialize};

/// Kind of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    #[default]
    Phone,
    Facts,
    Text,
    Induction,
    Modular,
    Grammar,
    Copy,
    Reverse,
    Spacing,
    Tagging,
    Brackets,
    Mqar,
}

impl_names! {
    TaskKind:
    Phone = "phone",
    Facts = "facts",
    Text = "text",
    Induction = "induction",
    Modular = "modular",
    Grammar = "grammar",
    Copy = "copy",
    Reverse = "reverse",
    Spacing = "spacing",
    Tagging = "tagging",
    Brackets = "brackets",
    Mqar = "mqar",
}

impl TaskKind {
    /// Words for it on the page.
    pub fn title(self) -> &'static str {
        match self {
            Self::Phone => "Phone book",
            Self::Facts => "Facts",
            Self::Text => "Your text",
            Self::Induction => "Repeated sequence",
            Self::Modular => "Modular addition",
            Self::Grammar => "Your grammar",
            Self::Copy => "Copy",
            Self::Reverse => "Reverse",
            Self::Spacing => "Spaces",
            Self::Tagging => "Word classes",
            Self::Brackets => "Brackets",
            Self::Mqar => "Associative recall",
        }
    }

    /// Part of a key that its options have between `task.` and their names.
    pub fn options(self) -> &'static str {
        match self {
            Self::Copy | Self::Reverse => "sequence",
            Self::Spacing | Self::Tagging => "words",
            Self::Phone
            | Self::Facts
            | Self::Text
            | Self::Induction
            | Self::Modular
            | Self::Grammar
            | Self::Brackets
            | Self::Mqar => self.name(),
        }
    }

    /// Every kind, in the order of their names.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::NAMES.iter().filter_map(|name| Self::parse(name))
    }
}
