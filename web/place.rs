//! Places of tokens.

/// A token that the model predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inspected {
    /// The token after the prompt's of this index.
    AfterPrompt(usize),
    /// The sample's token of this index.
    Sampled(usize),
}

impl Inspected {
    /// The token with this index in its row: that of the prompt or of the sample.
    pub fn at(index: usize, is_sample: bool) -> Self {
        if is_sample { Self::Sampled(index) } else { Self::AfterPrompt(index) }
    }

    /// Its index in that row; `None` if it is in the other.
    pub fn index(self, is_sample: bool) -> Option<usize> {
        match self {
            Self::AfterPrompt(index) if !is_sample => Some(index),
            Self::Sampled(index) if is_sample => Some(index),
            _ => None,
        }
    }
}
