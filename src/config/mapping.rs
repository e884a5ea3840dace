//! Options of the tasks that map an input to an output.

use serde::{Deserialize, Serialize};

/// Blocks of random characters, which a model writes again or backwards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SequenceConfig {
    /// Different characters to draw from.
    pub characters: usize,
    /// Fewest characters of an input.
    pub min_len: usize,
    /// Most characters of an input.
    pub max_len: usize,
}

impl Default for SequenceConfig {
    fn default() -> Self {
        Self { characters: 26, min_len: 4, max_len: 16 }
    }
}

/// Sentences of a made-up language.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WordsConfig {
    /// Words of the vocabulary.
    pub words: usize,
    /// Number of the vocabulary: each number makes other words.
    pub vocabulary: usize,
    /// Share of words, 0 to 1, that are in two classes.
    pub ambiguous: f64,
    /// Fewest letters of a sentence, without spaces.
    pub min_letters: usize,
    /// Letters from which on a sentence ends with its next word.
    pub max_letters: usize,
    /// The user's own text, of which spaces are put back in place of those of such sentences; empty for none. At most
    /// [`MAX_SENTENCES_BYTES`](super::MAX_SENTENCES_BYTES).
    pub text: String,
}

impl Default for WordsConfig {
    fn default() -> Self {
        Self {
            words: 100,
            vocabulary: 0,
            ambiguous: 0.1,
            min_letters: 6,
            max_letters: 14,
            text: String::new(),
        }
    }
}
