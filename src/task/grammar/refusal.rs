//! Why a grammar is refused.

use std::fmt;

/// Fault of a grammar, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Line of the fault, from 1.
    pub line: usize,
    /// A sentence for the user.
    pub sentence: String,
}

impl Refusal {
    pub(super) fn new(line: usize, sentence: impl Into<String>) -> Self {
        Self { line, sentence: sentence.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.sentence)
    }
}

impl std::error::Error for Refusal {}
